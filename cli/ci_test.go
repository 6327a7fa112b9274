// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/modeltest"
	"flyball/training"
)

const ciModel = `apiVersion: flyball/v1
kind: Model
name: demand
predict: {column: y, kind: regression, id: id, time: at, truth: {within: 1h}}
data: {source: a.csv, test: {window: 10d, at_least: 240}}
pipeline: {inputs: {x: number, z: number}}
train: {with: builtin/gbdt, settings: {trees: 40, depth: 4}, seed: 7}
gate:
  metrics:
    - {name: mae, require: noninferior, margin: 0.2}
    - {name: mae, against: baseline, require: superior}
  tests:
    - {name: "it | is <b>not</b> nothing", golden: {row: {x: 1, z: 1}, at_least: 0}}
release: {shadow: {for: 0s, at_least: 0}, canary: [{share: 100%}], bake: {for: 0s}}
`

// ciRepo is a repository with a model file, its data and one commit, in which the test
// runs. What is given is written over the files after the commit.
func ciRepo(t *testing.T, changed map[string]string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	for _, name := range []string{"FLYBALL_URL", "FLYBALL_TOKEN", "GITHUB_BASE_REF", "CI_MERGE_REQUEST_DIFF_BASE_SHA"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Chdir(dir)
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"-c", "user.name=ana", "-c", "user.email=ana@example.com"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var rows strings.Builder
	rows.WriteString("id,at,x,z,y\n")
	for i := range 1500 {
		x, z := 2*math.Sin(float64(i)), math.Cos(float64(i)/3)
		fmt.Fprintf(&rows, "%d,%s,%g,%g,%g\n", i, time.Date(2016, 1, 1, i, 0, 0, 0, time.UTC).Format(time.RFC3339), x, z, 10+5*math.Abs(x)+x*z+0.3*math.Sin(float64(i*i)))
	}
	git("init", "--quiet", "--initial-branch", "main")
	write("models/a.csv", rows.String())
	write("models/demand.yaml", ciModel)
	write("other/notes.yaml", "kind: Model\n") // none of ours
	git("add", ".")
	git("commit", "--quiet", "-m", "first")
	for name, text := range changed {
		write(name, text)
	}
}

// ciSays runs the command here.
func ciSays(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(append([]string{"ci"}, args...), nil, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestAPullRequestIsToldInOneComment(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to string
		code     int
		says     []string
	}{
		{"one that changes little holds", "trees: 40", "trees: 41", exitOK, []string{
			"<!-- flyball ci demand -->\n### Flyball: demand holds: mae ",
			"\n- train: {with: builtin/gbdt, settings: {trees: 40, depth: 4}, seed: 7}\n+ train: {with: builtin/gbdt, settings: {trees: 41, depth: 4}, seed: 7}\n",
			"Judged against the file as it is at ", "trained on the same rows, on 240 rows held out.",
			"| mae ↓ | base ", "| mae ↓ | baseline ",
			`- test: it \| is &lt;b&gt;not&lt;/b&gt; nothing: `, "Tests of the model: 1 of 1 pass.",
			"- Trained on a sample of 600 of 1,260 rows (seed 3): whether all of them make it better is not told.",
			"- Judged on all 240 rows whose truth fell due from ",
			"` flyball ci models/demand.yaml --base ", " --rows 600 --seed 3 --now ", "exit code 0\n",
		}},
		{"one that makes it worse is kept out", "trees: 40, depth: 4", "trees: 1, depth: 1", exitNo, []string{"### Flyball: demand is kept out: mae ", "**harm**", "exit code 3\n"}},
		{"a file that is wrong is told with every place", "trees: 40, depth: 4}, seed: 7}", "tress: 40}, seed: 7, weight: y, only: 1}\nretrian: {}", exitUsage, []string{
			"<!-- flyball ci demand -->\n### Flyball: demand: the model file is wrong", "demand.yaml:7:72: unknown key \"only\"", "demand.yaml:8:1: unknown key \"retrian\"", "exit code 2\n",
		}},
		{"what does not fit together is told with every place", "{x: number, z: number}", "{x: number, y: number}, steps: [{op: log, in: q}]", exitUsage, []string{
			"models/demand.yaml:6:", "pipeline.inputs: y is what the model predicts",
		}},
		{"data that is not there is told", "source: a.csv", "source: b.csv", exitFailed, []string{"demand could not be tried: the data cannot be read", "b.csv", "exit code 1\n"}},
		{"another truth is judged against the baseline", "within: 1h", "within: 2h", exitOK, []string{"It is not compared with the file as it is at ", "Judged against the baseline that the file names"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ciRepo(t, map[string]string{"models/demand.yaml": strings.Replace(ciModel, c.from, c.to, 1)})
			code, out, errs := ciSays(t, "--base", "main", "--rows", "600", "--seed", "3")
			if code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, errs)
			}
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if strings.Count(out, "<!--") != 1 || !strings.HasPrefix(out, "<!-- flyball ci ") {
				t.Errorf("not one marker at the begin:\n%s", out)
			}
		})
	}
}

func TestOnlyWhatChangedIsTried(t *testing.T) {
	ciRepo(t, nil)
	if code, out, errs := ciSays(t, "--base", "HEAD"); code != exitOK || !strings.Contains(out, "no model file changes") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	raw, err := os.ReadFile("models/a.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("models/a.csv", bytes.TrimSuffix(raw, []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	var got ciReport
	code, out, errs := ciSays(t, "--base", "HEAD", "-o", "json", "--sample", "50%")
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || len(got.Files) != 1 || got.Files[0].File != filepath.Join("models", "demand.yaml") {
		t.Fatalf("other data: exit %d, %v: %s%s", code, err, out, errs)
	}
	if r := got.Files[0].Result; r.Train != 630 || r.Whole != 1260 || r.Test != 240 {
		t.Errorf("half of the rows: %d of %d, %d held out", r.Train, r.Whole, r.Test)
	}
	if code, _, errs := ciSays(t, "--base", "nosuch"); code != exitFailed || !strings.Contains(errs, "nosuch") {
		t.Errorf("a base that git does not know: exit %d, %s", code, errs)
	}
	for _, args := range [][]string{{"--sample", "0"}, {"--sample", "200%"}, {"--rows", "-1"}, {"--against", "last"}} {
		if code, _, errs := ciSays(t, args...); code != exitUsage {
			t.Errorf("%q: exit %d, %s", args, code, errs)
		}
	}
}

func TestASampleGivesTheSameAgain(t *testing.T) {
	ciRepo(t, map[string]string{"models/demand.yaml": strings.Replace(ciModel, "depth: 4", "depth: 3", 1)})
	now := "2016-04-01"
	tables := func(seed string) string {
		_, out, _ := ciSays(t, "--base", "main", "--rows", "400", "--now", now, "--seed", seed)
		_, after, _ := strings.Cut(out, "| metric")
		table, _, _ := strings.Cut(after, "\n\n")
		return table
	}
	if a, b := tables("1"), tables("1"); a == "" || a != b {
		t.Errorf("again:\n%s\n%s", a, b)
	}
	if a, b := tables("1"), tables("2"); a == b {
		t.Errorf("another seed gives the same: %s", a)
	}
}

func TestWhatAFileSaysBreaksNoCommentAndTellsNoSecret(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	p := proposal{
		File: "a--> <script>.yaml", Base: "0123456789ab", Command: "flyball ci 'a`b' --url https://ana:hunter2@example.com",
		Diff:     []string{"+ about: ```` <!-- flyball ci other -->", "+ source: postgres://ana:hunter2@db/x", "+ key: tok-123"},
		Warnings: []string{"x | <img src=x onerror=alert(1)> @all"}, Error: "line one\n```\n# head postgres://ana:hunter2@db", Code: exitUsage,
	}
	e := &env{url: "https://example.com", token: "tok-123"}
	r := ciReport{Files: []proposal{p}}
	r.finish(e.hidden())
	out := r.markdown()
	for _, secret := range []string{"hunter2", "tok-123"} {
		if strings.Contains(out, secret) {
			t.Errorf("%s is told:\n%s", secret, out)
		}
	}
	first, rest, _ := strings.Cut(out, "\n")
	if strings.Count(first, "-->") != 1 || !strings.HasSuffix(first, " -->") || strings.Contains(first, "<script") {
		t.Errorf("the marker is %q", first)
	}
	var fence string
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, "\n")
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence = line[:strings.LastIndex(line, "`")+1]
		case fence != "" && line == fence:
			fence = ""
		case fence == "" && (strings.Contains(line, "<script") || strings.Contains(line, "<img") || strings.Contains(line, "<!--") || strings.Contains(line, "@all") || strings.HasPrefix(line, "# ")):
			t.Errorf("outside of code: %s", line)
		}
	}
	if fence != "" || !slices.Contains(strings.Split(rest, "\n"), "`````") {
		t.Errorf("a fence is ended by what is in it:\n%s", rest)
	}
}

func TestTheTablesOfACommentStayTables(t *testing.T) {
	v := gate.Verdict{
		Decision: gate.Harm, Summary: "kept out: " + evil, Rows: 500,
		Reasons: []gate.Reason{
			{Rule: "mae superior", Metric: "mae", Against: "live", Decision: gate.Harm, Required: true},
			{Rule: "test: " + evil, Decision: gate.Harm, Required: true, Text: evil},
		},
		Differences: []evaluation.Difference{{Metric: "mae", Against: "live", Candidate: 2, Other: 1, Value: -1, Low: -2, High: 0.5, Rows: 500, Blocks: 500}},
		Groups: []evaluation.GroupTable{{Column: evil, Reference: evil, Groups: []evaluation.GroupRow{
			{Value: evil, Rows: 300, Selection: evaluation.Range{Value: 0.5, Low: 0.4, High: 0.6}, Ratio: evaluation.Range{Value: 1, Low: 1, High: 1}, Judged: "ok"},
		}}},
		Tests: []modeltest.Result{{Name: evil, Text: evil}},
	}
	p := proposal{
		File: "m.yaml", Model: "demand", Code: exitNo, How: againstBase, Against: evil, Notes: []string{evil}, Command: evil,
		Result: &training.Result{Verdict: v, Problems: []dataset.Problem{{Check: evil, Text: evil}}},
	}
	r := ciReport{Files: []proposal{p}}
	r.finish(func(s string) string { return s })
	out := r.markdown()
	columns, rows := 0, 0
	for line := range strings.Lines(out) {
		bars := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			columns = 0
		case columns == 0:
			columns = bars
		case bars != columns:
			t.Errorf("%d columns, and a row of %d: %s", columns, bars, line)
		default:
			rows++
		}
		if !strings.HasPrefix(line, "`") && (strings.Contains(line, "<script") || strings.Contains(line, "@all")) {
			t.Errorf("what a stranger wrote is read: %s", line)
		}
	}
	if rows != 4 || strings.Count(out, "| base 1.00 |") != 1 || r.Code != exitNo {
		t.Errorf("%d rows of two tables, exit %d:\n%s", rows, r.Code, out)
	}
}

func TestWhereNothingIsLiveTheBaseIsComparedWith(t *testing.T) {
	ciRepo(t, map[string]string{"models/demand.yaml": strings.Replace(ciModel, "trees: 40", "trees: 41", 1)})
	code, out, errs, _ := answers(t, nil, "ci", "--base", "main", "--now", "2016-04-01")
	if code != exitOK || !strings.Contains(out, "Judged against the file as it is at ") || !strings.Contains(out, "- It is not compared with what is live at ") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, out, _, _ := answers(t, nil, "ci", "--base", "main", "--now", "2016-04-01", "--against", "live"); code != exitFailed || !strings.Contains(out, "demand could not be tried: ") {
		t.Errorf("asked for: exit %d: %s", code, out)
	}
}
