// SPDX-License-Identifier: Apache-2.0

// Package deploy_test reads what is in this folder against the program that it starts: a
// flag or a variable that there is not, a secret, or a process of root is found here.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"flyball/cli"
)

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// templates are the files that Helm makes YAML of; here they are only read.
func templates(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("helm/flyball/templates/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %v, %v", files, err)
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(text(t, f))
	}
	return all.String()
}

func TestEveryYAMLFileParses(t *testing.T) {
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "templates") {
			return err
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml":
			n++
			var v any
			if err := yaml.Unmarshal([]byte(text(t, path)), &v); err != nil || v == nil {
				t.Errorf("%s: %v", path, err)
			}
		case ".json":
			if !json.Valid([]byte(text(t, path))) {
				t.Errorf("%s is no JSON", path)
			}
		}
		return nil
	})
	if err != nil || n < 4 {
		t.Errorf("%d files, %v", n, err)
	}
}

var (
	flags     = regexp.MustCompile(`(?:^|[\s"'])--([a-z][a-z-]+)`)
	variables = regexp.MustCompile(`\bFLYBALL_[A-Z_]+\b`)
)

func TestEveryFlagAndVariableIsOne(t *testing.T) {
	var help bytes.Buffer
	if code := cli.Main([]string{"serve", "--help"}, strings.NewReader(""), &help, &help); code != 0 {
		t.Fatalf("flyball serve --help: %d", code)
	}
	known := regexp.MustCompile(`--([a-z][a-z-]+)`).FindAllStringSubmatch(help.String(), -1)
	is := func(flag string) bool {
		return slices.ContainsFunc(known, func(k []string) bool { return k[1] == flag })
	}
	foreign := []string{"port", "encoding", "locale", "username", "dbname"} // of others' programs
	var code strings.Builder
	for _, dir := range []string{"../cli", "../app"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			code.WriteString(text(t, f))
		}
	}
	for name, all := range map[string]string{
		"the unit": text(t, "systemd/flyball.service"), "compose": text(t, "compose/compose.yaml"), "the chart": templates(t),
		"the secrets of compose": text(t, "compose/secrets.env.example"), "the chart's helpers": text(t, "helm/flyball/templates/_helpers.tpl"),
	} {
		for _, f := range flags.FindAllStringSubmatch(all, -1) {
			if !is(f[1]) && !slices.Contains(foreign, f[1]) {
				t.Errorf("%s has --%s, which flyball serve has not", name, f[1])
			}
		}
		for _, v := range variables.FindAllString(all, -1) {
			if v != "FLYBALL_VERSION" && !strings.Contains(code.String(), `"`+v+`"`) { // that one is of compose itself
				t.Errorf("%s has %s, which nobody reads", name, v)
			}
		}
	}
}

func TestNothingRunsAsRootNorHoldsASecret(t *testing.T) {
	var c struct {
		Services map[string]struct {
			User        string            `yaml:"user"`
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(text(t, "compose/compose.yaml")), &c); err != nil || len(c.Services) != 7 {
		t.Fatalf("got %d services, %v", len(c.Services), err)
	}
	for name, s := range c.Services {
		if user, _, _ := strings.Cut(s.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s of compose runs as %q", name, s.User)
		}
		for v := range s.Environment {
			if strings.Contains(v, "PASSWORD") || strings.Contains(v, "SECRET") {
				t.Errorf("%s of compose has %s in it", name, v)
			}
		}
	}
	for line := range strings.Lines(text(t, "compose/secrets.env.example")) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), "="); is && !strings.HasPrefix(line, "#") && value != "" && (strings.Contains(name, "PASSWORD") || strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN")) {
			t.Errorf("the example has a value of %s", name)
		}
	}
	helpers := text(t, "helm/flyball/templates/_helpers.tpl")
	for _, want := range []string{"runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "type: RuntimeDefault"} {
		if !strings.Contains(helpers, want) {
			t.Errorf("the chart has not %s", want)
		}
	}
	all := templates(t)
	for _, use := range []string{"flyball.podSecurity", "flyball.containerSecurity"} {
		if n := strings.Count(all, `include "`+use+`"`); n != strings.Count(all, "kind: StatefulSet\nmetadata") {
			t.Errorf("%d of the chart's workloads include %s", n, use)
		}
	}
	if unit := text(t, "systemd/flyball.service"); !strings.Contains(unit, "DynamicUser=yes") {
		t.Error("the unit runs as root")
	}
}

// The chart's role is the one that was tried against a real API server.
func TestTheChartLetsControlDoWhatTheExecutorNeeds(t *testing.T) {
	_, rules, _ := strings.Cut(text(t, "kubernetes/role.yaml"), "rules:\n")
	if !strings.Contains(text(t, "helm/flyball/templates/executor.yaml"), "rules:\n"+rules) {
		t.Error("templates/executor.yaml has other rules than kubernetes/role.yaml")
	}
}
