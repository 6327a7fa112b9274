// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/gate"
)

// subject is a run of the predictions in package compare's testdata.
func subject(t *testing.T, name, file string, params ...experiment.Param) compare.Subject {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "experiment", "compare", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	m, err := compare.ReadManifest([]byte(`{"format":1,"kind":"binary"}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := compare.Read(m, file, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return compare.Subject{Ref: "run:" + name, Name: name, Run: name, Evaluation: e, Params: params}
}

const evil = "<script>alert(1)</script>|`x`\n@all"

func comparison(t *testing.T) wire.Comparison {
	t.Helper()
	a, b := subject(t, "8f3c", "binary-a.csv", experiment.Param{Key: "depth", Value: "5"}, experiment.Param{Key: evil, Value: evil}),
		subject(t, "77aa", "binary-b.csv", experiment.Param{Key: "depth", Value: "6"})
	return compare.Compare([]compare.Subject{b, a}, compare.Options{Slices: true, Curves: true, Metrics: []string{"log_loss", "brier"}})
}

// answers runs a command against a server that gives one answer, and says what was
// asked.
func answers(t *testing.T, v any, args ...string) (code int, out, errs, asked string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/clock" {
			_ = json.NewEncoder(w).Encode(wire.Clock{Now: time.UnixMilli(1_700_000_000_000)})
			return
		}
		asked = r.URL.Path + "?" + r.URL.RawQuery
		if v == nil {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"title":"not found","detail":"no run begins with 9"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(v)
	}))
	defer server.Close()
	var stdout, stderr bytes.Buffer
	code = Main(append(args, "--url", server.URL), nil, &stdout, &stderr)
	return code, stdout.String(), stderr.String(), asked
}

func TestCompareAnswersWithItsExitCode(t *testing.T) {
	report := comparison(t)
	code, out, _, asked := answers(t, report, "compare", "8f3c", "--against", "live", "-m", "hotels", "--metric", "brier")
	if code != 0 || asked != "/v1/compare?against=live&metric=brier&model=hotels&ref=8f3c" {
		t.Errorf("got %d, asked %s", code, asked)
	}
	for _, want := range []string{
		"8f3c is better than 77aa by 0.110 log_loss (95 %: 0.076…0.143) on 1,050 rows in 358 blocks that both have. It is better in 2 of 2 slices and worse beyond doubt in none.\n",
		"Only what differs (0 are equal)\n",
		"log_loss ↓  8f3c  77aa     0.540  0.650      +0.110 (+0.076…+0.143)  SUPERIOR\n",
		"param  <script>alert(1)</script>|`x` @all  -     <script>alert(1)</script>|`x` @all\n",
		"part=airport  31    -                       not judged (n=31)\n",
		"Where they differ: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	report.Sentence = "part=\x1b[2J is worse"
	if _, out, _, _ := answers(t, report, "compare", "8f3c", "77aa"); !strings.HasPrefix(out, "part= [2J is worse\n") {
		t.Errorf("what a slice is called reaches the terminal: %q", out[:30])
	}
	report.Better = false
	if code, _, _, _ := answers(t, report, "compare", "8f3c", "77aa"); code != 3 {
		t.Errorf("not better: got %d", code)
	}
	if code, _, errs, _ := answers(t, nil, "compare", "9", "77aa"); code != 5 || errs != "flyball: no run begins with 9\n" {
		t.Errorf("not found: got %d, %s", code, errs)
	}
	if code, _, _, _ := answers(t, report, "compare"); code != 2 {
		t.Errorf("nothing to compare: got %d", code)
	}
	if code, _, _, _ := answers(t, report, "compare", "a", "b", "--format", "pdf"); code != 2 {
		t.Errorf("another format: got %d", code)
	}
}

func TestAComparisonIsACommentOnAChange(t *testing.T) {
	_, out, _, _ := answers(t, comparison(t), "compare", "8f3c", "77aa", "--format", "markdown")
	if !strings.HasPrefix(out, marker) {
		t.Errorf("the comment cannot be found again: %s", out)
	}
	_, out, _ = strings.Cut(out, "\n")
	want := `### Flyball: 8f3c against 77aa — SUPERIOR

8f3c is better than 77aa by 0.110 log\_loss (95 %: 0.076…0.143) on 1,050 rows in 358 blocks that both have. It is better in 2 of 2 slices and worse beyond doubt in none.

| metric | 77aa | 8f3c | difference (95 %) | rule | verdict |
|---|---|---|---|---|---|
| log\_loss ↓ | 0.650 | 0.540 | +0.110 (+0.076…+0.143) | not worse | SUPERIOR |
| brier ↓ | 0.216 | 0.181 | +0.035 (+0.023…+0.048) | not worse | SUPERIOR |

A difference above zero is better.
Worst slice: part=city +0.113 (+0.071…+0.155) log\_loss (n=567, Holm p=4.3e-07). Slices with too few rows to judge: 1.
Where they differ: 231 of 1,050 rows change decision; 8f3c is right in 142 of them.

<details><summary>Only what differs (0 are equal)</summary>

| | | 77aa | 8f3c |
|---|---|---|---|
| param | &lt;script&gt;alert(1)&lt;/script&gt;\|\` + "`x\\`" + ` &#64;all | - | &lt;script&gt;alert(1)&lt;/script&gt;\|\` + "`x\\`" + ` &#64;all |
| param | depth | 6 | 5 |

</details>

` + "`flyball compare run:77aa run:8f3c` · exit code 0\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestAComparisonIsOnePageThatRunsNothing(t *testing.T) {
	r := comparison(t)
	r.Sentence = evil
	r.Subjects[0].Name, r.Pairs[0].Against = evil, evil
	_, out, _, _ := answers(t, r, "compare", "8f3c", "77aa", "--format", "html")
	for _, never := range []string{"<script", "http:", "https:", "src=", "href=", "onload", "@import", "url("} {
		if strings.Contains(out, never) {
			t.Errorf("the page has %s", never)
		}
	}
	d := xml.NewDecoder(strings.NewReader(out))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	elements := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tok.(xml.StartElement); ok {
			elements++
		}
	}
	if elements < 100 || !strings.Contains(out, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Errorf("%d elements", elements)
	}
}

func TestAComparisonWithoutPredictionsShowsWhatWasLogged(t *testing.T) {
	a, b := compare.Subject{Ref: "run:aa", Name: "aa", Metrics: []experiment.Metric{{Key: "auc", Value: 0.75, DatasetName: "test"}}}, compare.Subject{Ref: "run:bb", Name: "bb"}
	code, out, _, _ := answers(t, compare.Compare([]compare.Subject{a, b}, compare.Options{}), "compare", "aa", "bb")
	want := "bb keeps no predictions below evaluation/, so nothing is judged: its metrics stand beside the others without an interval.\n\n" +
		"As logged, without an interval: nobody can tell from these what chance does\nMETRIC  AA            BB\nauc     0.75 on test  -\n"
	if code != 3 || out != want {
		t.Errorf("got %d\n%s", code, out)
	}
}

func TestRunsAreListedWithTheirDistance(t *testing.T) {
	low, high, auc := -0.01, 0.03, 0.8336
	list := wire.Runs{
		Against: &compare.Shown{Name: "v12"}, Columns: []string{"metrics.auc", "params.depth"}, Sentence: "1 of 1 runs is better.", Next: "t",
		Runs: []compare.Row{
			{
				ID: "7c1e0000aaaa", Name: "brave-otter", Status: "FINISHED", Start: time.Date(2017, 3, 1, 11, 5, 0, 0, time.UTC), End: time.Date(2017, 3, 1, 11, 5, 1, 0, time.UTC),
				Params: map[string]string{"depth": "5"}, Metrics: map[string]*float64{"auc": &auc},
				Distance: &compare.Distance{Metric: "auc", Own: auc, Value: 0.0123, Low: &low, High: &high, Rows: 3535, Decision: gate.Inconclusive},
			},
			{ID: "9890", Name: "calm-heron", Status: "RUNNING", Metrics: map[string]*float64{"auc": nil}, Distance: &compare.Distance{Metric: "auc", Value: -0.25}},
		},
	}
	code, out, errs, asked := answers(t, list, "runs", "-m", "hotels", "--since", "1d", "--filter", "metrics.auc > 0.8", "--sort", "metrics.auc DESC", "--against", "live")
	want := "RUN       NAME         STATUS    AGAINST V12                 AUC     DEPTH  AT\n" +
		"7c1e0000  brave-otter  finished  +0.012 auc (−0.010…+0.030)  0.8336  5      2017-03-01 11:05\n" +
		"9890      calm-heron   running   −0.250 auc (as logged)      NaN     -      -\n"
	if code != 0 || out != want {
		t.Errorf("got %d\n%s\nwant\n%s", code, out, want)
	}
	if errs != "1 of 1 runs is better.\nthere are more: --page t\n" {
		t.Errorf("got %s", errs)
	}
	if want := "/v1/runs?against=live&experiment=hotels&filter=metrics.auc+%3E+0.8+AND+attributes.start_time+%3E%3D+1699913600000&max_results=100&order_by=metrics.auc+DESC"; asked != want {
		t.Errorf("asked %s", asked)
	}
	if _, out, _, _ := answers(t, list, "runs", "-o", "name"); out != "7c1e0000aaaa\n9890\n" {
		t.Errorf("got %s", out)
	}
	if code, _, _, _ := answers(t, list, "runs", "-m", "a", "--experiment", "b"); code != 1 {
		t.Errorf("got %d", code)
	}
}
