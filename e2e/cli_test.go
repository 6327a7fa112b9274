// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// verbs are the commands that a user is told of.
var verbs = []string{
	"alerts", "apply", "approvals", "attest", "audit", "backup", "break-glass", "card", "ci", "compare", "completion", "data", "delivery", "demo", "dependence", "diff", "digest", "doctor", "dossier", "drift", "events", "evidence", "explain", "export", "forget", "gate", "gc", "groups", "hold", "import", "incidents", "init", "label", "login", "logout", "maturity", "owners", "pipelines",
	"predict", "predictions", "promote", "rehearse", "releases", "replicas", "reproduce", "restore", "resume", "retrain", "rollback", "runs", "schema", "score", "serve", "status",
	"test", "tokens", "train", "upgrade", "users", "version", "versions", "watch", "whoami",
}

func TestEveryCommandShowsAnExample(t *testing.T) {
	for _, v := range verbs {
		got := run(t, "", "", v, "--help")
		if got.code != 0 || !strings.Contains(got.out, "Examples:\n  ") || !strings.Contains(got.out, "flyball "+v) {
			t.Errorf("flyball %s --help: exit %d:\n%s%s", v, got.code, got.out, got.stderr)
		}
	}
	all := run(t, "", "", "help").out
	for line := range strings.Lines(all) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") && !strings.HasPrefix(word, "-") &&
			word != "help" && word != "flyball" && !slices.Contains(verbs, word) {
			t.Errorf("flyball %s is not tested", word)
		}
	}
}

// command is one call and what must come of it.
type command struct {
	args  string // split at blanks; a comma inside stands for a blank of one argument
	code  int
	says  string // on standard output; on standard error where the code is not 0 or 3
	stdin string
}

func (c command) check(t *testing.T, url string) {
	t.Helper()
	args := strings.Fields(c.args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], ",", " ")
	}
	got := run(t, url, c.stdin, args...)
	said := got.out
	if c.code != 0 && c.code != 3 {
		said = got.stderr
		lines := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
		if !strings.HasPrefix(lines[len(lines)-1], "flyball: ") {
			t.Errorf("flyball %s does not say in its last line what went wrong: %s", c.args, said)
		}
	}
	if got.code != c.code || !strings.Contains(said, c.says) {
		t.Errorf("flyball %s: exit %d, want %d with %q:\n%s%s", c.args, got.code, c.code, c.says, got.out, got.stderr)
	}
}

// folder is what a user has: a model file and its data, and a rows file.
func folder(t *testing.T, past []hour, rows ...json.RawMessage) (dir string) {
	t.Helper()
	dir = t.TempDir()
	whole, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	file := modelFile(t, byHand...)
	for name, b := range map[string][]byte{
		"model.yaml": []byte(file), "changed.yaml": []byte(strings.Replace(file, "trees: 20,", "trees: 21,", 1)),
		"broken.yaml": []byte(strings.Replace(file, "retrain:", "retrian:", 1)), "setting.yaml": []byte(strings.Replace(file, "trees:", "tress:", 1)), source: csvFile(past), "rows.json": whole,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryCommandDoesWhatItSays(t *testing.T) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	h := coming[0]
	dir := folder(t, past, h.row(nil), coming[1].row(nil))
	s := start(t, t.TempDir())
	advance := func() {
		t.Helper()
		if err := s.Advance(t.Context(), h.at); err != nil {
			t.Fatal(err)
		}
	}
	model, changed := filepath.Join(dir, "model.yaml"), filepath.Join(dir, "changed.yaml")
	for _, c := range []command{
		{args: "status", says: "MODEL"},
		{args: "apply " + model + " --dry-run", says: "bike-demand would change"},
		{args: "apply " + model + " --explain", says: "apiVersion: flyball/v1"},
		{args: "diff " + model, code: 3, says: "+ name: bike-demand"},
		{args: "apply " + filepath.Join(dir, "broken.yaml"), code: 1, says: "retrian"},
		{args: "apply " + filepath.Join(dir, "setting.yaml"), code: 1, says: "tress"},
		{args: "apply " + filepath.Join(dir, "none.yaml"), code: 5, says: "none.yaml"},
		{args: "status bike-demand", code: 5, says: "bike-demand"},
		{args: "apply " + model, says: "bike-demand applied"},
		{args: "apply " + model, says: "bike-demand unchanged"},
		{args: "diff " + model},
		{args: "diff " + changed, code: 3, says: "+   settings: {trees: 21,"},
		{args: "predict bike-demand " + filepath.Join(dir, "rows.json"), code: 5, says: "bike-demand"},
		{args: "compare bike-demand@99 --against live", code: 5, says: "99"},
		{args: "compare ffff --against live -m bike-demand", code: 5, says: "no run begins with ffff"},
		{args: "runs -m bike-demand", code: 5, says: "bike-demand"},
	} {
		c.check(t, s.url)
	}
	advance()
	for _, c := range []command{
		{args: "status", says: "v1"},
		{args: "status bike-demand -o json", says: `"live": 1`},
		{args: "versions", says: "bike-demand@1"},
		{args: "versions bike-demand -o name", says: "bike-demand@1\n"},
		{args: "versions -o yaml", says: "version: 1"},
		{args: "versions -o csv", says: "version,alias"},
		{args: "versions -o xml", code: 2, says: "xml"},
		{args: "releases", says: "succeeded"},
		{args: "gate bike-demand@1", says: "mae"},
		{args: "runs -m bike-demand", says: "AGAINST THE CONSTANT"},
		{args: "gate bike-demand@7", code: 5, says: "7"},
		{args: "ci " + model, says: "Judged against the live version bike-demand&#64;1 at " + s.url + ", on 333 rows held out."},
		{args: "ci " + model + " --rows 1 --against baseline -o json", code: 3, says: `"model": "bike-demand"`},
		{args: "predict bike-demand " + filepath.Join(dir, "rows.json"), says: h.key()},
		{args: "predict bike-demand", stdin: string(h.row(map[string]any{"temp": absent})), code: 1, says: `"temp"`},
		{args: "predict bike-demand", stdin: string(coming[2].row(nil)), says: coming[2].key()},
		{args: "label bike-demand " + h.key() + " 16", says: ""},
		{args: "predictions --key " + h.key() + " -o csv", says: ",16,"},
		{args: "predictions --last 2", says: coming[2].key()},
		{args: "explain " + coming[2].key(), says: "replayed  equal to the last bit"},
		{args: "explain " + coming[2].key() + " -m bike-demand -o json", says: `"method": "trees"`},
		{args: "explain " + coming[2].key() + " --flip", says: "flips     no change was found: the model decides nothing that could flip"},
		{args: "dependence bike-demand@1", says: "hr"},
		{args: "dependence bike-demand@1 temp", says: "MEAN"},
		{args: "dependence bike-demand casual", code: 5, says: "casual"},
		{args: "dossier " + coming[2].key(), says: "it is equal to the last bit"},
		{args: "dossier " + coming[2].key() + " -m bike-demand -o " + filepath.Join(dir, "d.html"), says: ""},
		{args: "dossier bike-demand@1", says: "Its model card."},
		{args: "dossier nobody", code: 5, says: "flyball predictions bike-demand"},
		{args: "card bike-demand", says: "# Model card: bike-demand@1"},
		{args: "card bike-demand@1 -o hf", says: "model-index:"},
		{args: "card bike-demand@1 -o xml", code: 1, says: "markdown, html, json or hf"},
		{args: "evidence export --profile ai-act", says: "Annex IV"},
		{args: "evidence export bike-demand --profile law", code: 1, says: "ai-act"},
		{args: "evidence export bike-demand", code: 2, says: "profile"},
		{args: "card bike-demand@9", code: 5, says: "9"},
		{args: "explain nobody", code: 5, says: "flyball predictions bike-demand"},
		{args: "score", says: "SINCE"},
		{args: "drift", says: "SINCE"},
		{args: "alerts", says: "SINCE"},
		{args: "alerts nobody", code: 5, says: "nobody"},
		{args: "alerts ack nobody", code: 5, says: "nobody"},
		{args: "alerts silence bike-demand --for 2h", code: 1, says: "reason"},
		{args: "alerts silence bike-demand --for 2h --why moving", says: "nobody is told of bike-demand until"},
		{args: "alerts silence bike-demand --for 0s", says: "told again"},
		{args: "owners bike-demand", says: "retrain"},
		{args: "digest", says: "What waits for whom"},
		{args: "events", says: "is live"},
		{args: "hold bike-demand", code: 1, says: "reason"},
		{args: "hold bike-demand --why the,lake,moves", says: "no more"},
		{args: "resume bike-demand", says: "again"},
		{args: "promote bike-demand", code: 6, says: "succeeded"},
		{args: "rollback bike-demand --why a,test", code: 6, says: "nothing"},
		{args: "apply " + changed, says: "applied"},
		{args: "retrain bike-demand --why a,test", says: "begins"},
		{args: "retrain bike-demand --why again", code: 6, says: "training"},
	} {
		c.check(t, s.url)
	}
	advance()
	for _, c := range []command{
		{args: "compare bike-demand@1 bike-demand@2", code: 3, says: "v2 is not worse than v1 by more than 50 mae: it is better by "},
		{args: "compare bike-demand@2 --against constant --format markdown", says: "against the constant — SUPERIOR"},
		{args: "compare @live bike-demand@2 -m bike-demand --format html", code: 3, says: "<h2>v2 against v1</h2>"},
		{args: "runs -m bike-demand --sort start_time", says: "v2"},
		{args: "runs --since 30d --filter params.trees,=,'21' -o name", says: ""},
		{args: "promote bike-demand --why a,test", says: "v2"},
		{args: "promote bike-demand", says: "v2"},
		{args: "status", says: "v2"},
		{args: "rollback bike-demand --drill", says: "yes"},
		{args: "status", says: "v2"},
		{args: "rollback bike-demand --why complaints", says: "v2"},
		{args: "rollback bike-demand --drill", code: 6, says: "nothing"},
		{args: "status", says: "v1"},
		{args: "reproduce bike-demand@1", says: "R3"},
		{args: "export bike-demand@1 " + filepath.Join(dir, "v1.tar"), says: ""},
		{args: "export bike-demand@1 " + filepath.Join(dir, "v1.tar"), code: 6, says: "is there already"},
		{args: "reproduce --from " + filepath.Join(dir, "v1.tar"), says: "bike-demand@1: R3"},
		{args: "reproduce --from " + model, code: 1, says: "the archive cannot be read"},
		{args: "export bike-demand@9 " + filepath.Join(dir, "v9.tar"), code: 5, says: "9"},
		{args: "explain " + coming[2].key() + " --against 2", says: "against   bike-demand@2 says"},
		{args: "explain " + coming[2].key() + " --against nobody", code: 5, says: "nobody"},
		{args: "maturity", says: "all: level 0 at least, half of them level 0 or above"},
		{args: "maturity bike-demand", says: "model bike-demand: level 0 of 4 ("},
		{args: "maturity bike-demand -o csv", says: "L2.reproducible,met,bike-demand@1 came out as R3 today,"},
		{args: "maturity bike-demand -o csv", says: `L3.rollback-proven,met,"v2 was taken back in 0 seconds`},
		{args: "maturity nobody", code: 5, says: "nobody"},
		{args: "delivery", says: "1 of 2"},
		{args: "delivery bike-demand --window 1y", says: "changes that failed: 1 of 2"},
		{args: "delivery bike-demand --window 1d", code: 1, says: "a week at least"},
		{args: "test report unit", code: 2, says: "status"},
		{args: "attest L1.app-tests --why they,say,so", code: 3},
		{args: "attest L1.app-tests", code: 2, says: "why"},
		{args: "audit", says: "complaints"},
		{args: "audit --verify", says: "the chain holds"},
		{args: "audit verify", says: "sealed files of predictions hold"},
		{args: "audit list --object bike-demand --since 7d", says: "complaints"},
		{args: "forget nobody --why request-1", says: "predictions"},
		{args: "audit list --actor local", says: "request-1"},
		{args: "audit anchor", says: "Z "},
		{args: "audit export", says: `"hash":"`},
		{args: "audit export -o csv", says: "seq,at,actor"},
		{args: "doctor", says: "ok"},
		{args: "events bike-demand --last 3 -o json", says: "complaints"},
		{args: "test report unit --status pass -m bike-demand --version 1", says: "unit"},
	} {
		c.check(t, s.url)
	}
	watches(t, s.url)
}

// watches checks that watch tells what happens while it happens, and ends well.
func watches(t *testing.T, url string) {
	t.Helper()
	cmd := exec.Command(binary, "watch", bike, "--url", url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer guard.Stop()
	lines := bufio.NewScanner(out)
	asked, told := false, false
	for !told && lines.Scan() {
		if !asked { // it is under way
			command{args: "hold bike-demand --why the,watch,is,tested", says: "no more"}.check(t, url)
			asked = true
		}
		told = strings.Contains(lines.Text(), "the watch is tested")
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !told {
		t.Errorf("watch ended with %v, and told of the hold: %t", err, told)
	}
}

func TestCommandsThatNeedNoServerWorkWithoutOne(t *testing.T) {
	past, _ := history(t)
	past = past[len(past)-60*24:]
	dir := folder(t, past)
	data := t.TempDir()
	start(t, data).stop()
	none := "http://127.0.0.1:1"
	for _, c := range []command{
		{args: "version", says: "flyball "},
		{args: "schema", says: `"$schema"`},
		{args: "completion bash", says: "complete"},
		{args: "init " + filepath.Join(dir, source) + " --predict cnt", says: "kind: Model"},
		{args: "train " + filepath.Join(dir, "model.yaml"), says: "mae"},
		{args: "doctor --data " + data, says: "ok"},
		{args: "doctor --data " + dir, code: 3, says: "BROKEN"},
		{args: "doctor", code: 3, says: "BROKEN"},
		{args: "nosuch", code: 2, says: "nosuch"},
		{args: "status --nosuch", code: 2, says: "nosuch"},
		{args: "status a b", code: 2, says: "accepts"},
		{args: "init " + filepath.Join(dir, source), code: 2, says: "predict"},
		{args: "serve --log loud", code: 2, says: "loud"},
	} {
		c.check(t, none)
	}
	for _, args := range []string{
		"users", "tokens", "whoami", "status", "versions m", "releases m", "gate m@1", "compare m 1 2", "drift m", "score m", "groups m", "alerts m", "alerts ack x", "alerts silence m --for 2h --why x", "owners m", "owners away bo --to 2030-01-01", "digest", "predictions m", "audit", "audit --verify", "audit verify", "audit list", "audit anchor", "audit export", "forget k --why x",
		"events", "evidence export m --profile nist", "card m@1", "dossier m@1", "dossier k -m m", "explain k -m m", "dependence m@1", "watch", "promote m", "rollback m --why x", "rollback m --drill", "retrain m", "hold m --why x", "resume m", "label m k 1", "reproduce m@1", "approvals", "approvals m", "approvals approve m@1", "incidents", "replicas", "incidents m", "incidents open m --why x", "incidents close m --cause x --change 2", "break-glass m --why nobody", "maturity", "maturity m", "delivery", "delivery m", "attest L1.app-tests --why x", "test report unit --status pass",
		"apply " + filepath.Join(dir, "model.yaml"), "diff " + filepath.Join(dir, "model.yaml"), "train m", "ci " + filepath.Join(dir, "model.yaml"),
	} {
		command{args: args, code: 7, says: "no server answers at " + none}.check(t, none)
	}
	command{args: "predict m", stdin: `{"a":1}`, code: 7, says: "no server answers"}.check(t, none)
}
