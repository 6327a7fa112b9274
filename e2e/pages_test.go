// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"flyball/client"
)

var shown = regexp.MustCompile(`<code id="cmd">([^<]+)</code>`)

// TestTheCommandOnEachPageSaysTheSameInATerminal runs what the pages offer to copy, in
// a shell, as a reader would.
func TestTheCommandOnEachPageSaysTheSameInATerminal(t *testing.T) {
	past, _ := history(t)
	s := start(t, t.TempDir())
	live(t, s, modelFile(t, byHand...), past[len(past)-150*24:])
	list, err := s.Runs(t.Context(), client.RunsAsked{Experiment: bike, MaxResults: 10})
	if err != nil || len(list.Runs) == 0 {
		t.Fatalf("the loop left no run: %v", err)
	}
	id := list.Runs[0].ID
	bin := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(bin, "flyball")); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{
		"/runs",
		"/runs?" + url.Values{"experiment": {bike}, "sort": {"metrics.`mae` ASC"}, "filter": {"metrics.mae > 0 and params.seed != 'it''s'"}}.Encode(),
		"/run?id=" + id,
		"/compare?" + url.Values{"ref": {"run:" + id}, "against": {"baseline"}, "metric": {"mae"}, "experiment": {bike}}.Encode(),
	} {
		res, err := http.Get(s.url + page)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		m := shown.FindSubmatch(body)
		if err != nil || res.StatusCode != http.StatusOK || m == nil {
			t.Errorf("%s: %s, no command (%v)", page, res.Status, err)
			continue
		}
		command := html.UnescapeString(string(m[1]))
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Env = append(os.Environ(), "FLYBALL_TOKEN=", "FLYBALL_URL="+s.url, "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) == "" {
			t.Errorf("%s shows %q, which ends with %v:\n%s", page, command, err, out)
		}
	}
}
