// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// commandIn is a call of flyball in a script, up to what ends a command.
var commandIn = regexp.MustCompile(`(?m)(?:^|[;&|(]|\$\()\s*(?:bin/)?flyball ([^\n;&|>#)]*)`)

// scripts are all texts of a document that a shell runs, by the key they stand at.
func scripts(v any, at string) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			out = append(out, scripts(x, k)...)
		}
	case []any:
		for _, x := range v {
			out = append(out, scripts(x, at)...)
		}
	case string:
		if at == "run" || at == "script" || at == "after_script" {
			out = append(out, v)
		}
	}
	return out
}

func TestTheExamplesForPullRequestsCallWhatIsThere(t *testing.T) {
	for name, want := range map[string][]string{
		"github-actions.yml": {"ci", "diff", "apply"},
		"gitlab-ci.yml":      {"ci", "diff", "apply"},
	} {
		raw, err := os.ReadFile(filepath.Join("..", "examples", "ci", name))
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := yaml.UnmarshalWithOptions(raw, &doc, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var called []string
		for _, m := range commandIn.FindAllStringSubmatch(strings.Join(scripts(doc, ""), "\n"), -1) {
			args := strings.Fields(strings.ReplaceAll(m[1], `"`, ""))
			cmd, rest, err := root(&env{err: io.Discard}).Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: flyball %s: %v", name, m[1], err)
			}
			called = append(called, cmd.Name())
		}
		for _, verb := range want {
			if !strings.Contains(" "+strings.Join(called, " ")+" ", " "+verb+" ") {
				t.Errorf("%s does not call flyball %s: only %q", name, verb, called)
			}
		}
		for _, use := range regexp.MustCompile(`uses: (\S+)`).FindAllStringSubmatch(string(raw), -1) {
			if !regexp.MustCompile(`^actions/(checkout|setup-go)@v\d+\.\d+\.\d+$`).MatchString(use[1]) {
				t.Errorf("%s uses %s", name, use[1])
			}
		}
		if regexp.MustCompile(`run: .*\$\{\{`).Match(raw) {
			t.Errorf("%s puts an expression into a script", name)
		}
		for _, script := range scripts(doc, "") {
			if strings.Contains(script, "${{") {
				t.Errorf("%s: what a stranger wrote may become part of the script:\n%s", name, script)
			}
		}
	}
}
