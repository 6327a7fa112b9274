// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/experiment/evaluation"
)

const loans = `apiVersion: flyball/v1
kind: Model
name: loans
predict:
  column: paid
  kind: binary
  id: loan
  time: at
  truth: {within: 2d}
  decide: {above: 0.5, then: give, else: ask}
  groups: [branch]
  audit: [gender, {column: age, bins: [30, 60]}]
data:
  source: loans.csv
  test: {window: 20d, at_least: 200}
pipeline:
  inputs: {income: number}
train: {with: builtin/linear, seed: 1}
gate:
  metrics: [{name: log_loss, against: baseline, require: superior}]
  baseline: builtin/constant
release: {canary: [{share: 100%}]}
duties:
  feed: {owner: ann, backup: bo}
  monitor: {owner: ann, backup: bo}
  retrain: {owner: ann, backup: bo}
  fix: {owner: ann, backup: bo}
`

// loansFolder is a folder with a model file and its data: loans are paid back where the
// income is high.
func loansFolder(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(7, 7))
	first, err := time.Parse("2006-01-02T15:04Z07:00", begin)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	rows.WriteString("loan,at,income,branch,paid\n")
	for i := range 1200 {
		at := first.Add(-time.Duration(1200-i) * 2 * time.Hour)
		income, paid := rng.NormFloat64(), 0
		if income+0.7*rng.NormFloat64() > 0 {
			paid = 1
		}
		fmt.Fprintf(&rows, "l%d,%s,%.4f,%s,%d\n", i, at.Format(time.RFC3339), income, []string{"north", "south"}[i%2], paid)
	}
	for name, text := range map[string]string{"model.yaml": file, "loans.csv": rows.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestGroupsAreToldTogetherAndNeverRowByRow sends the groups of people beside their rows,
// kills the server, and finds the groups in the table and nowhere else.
func TestGroupsAreToldTogetherAndNeverRowByRow(t *testing.T) {
	dir, home := loansFolder(t, loans), t.TempDir()
	s := start(t, home)
	command{args: "apply " + filepath.Join(dir, "model.yaml"), says: "applied"}.check(t, s.url)
	first, _ := time.Parse("2006-01-02T15:04Z07:00", begin)
	for h := range 4 { // until the first version is live
		if err := s.Advance(t.Context(), first.Add(time.Duration(h+1)*15*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Advance(t.Context(), first.Add(27*time.Hour)); err != nil { // the watch begins with a whole day
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 8))
	var req wire.PredictRequest
	var labels []wire.Label
	for i := range 900 {
		gender, shift := "women", -0.5
		switch {
		case i < 5:
			gender = "a-group-of-five"
		case i%2 == 0:
			gender, shift = "men", 0.5
		}
		income := rng.NormFloat64() + shift
		req.Rows = append(req.Rows, json.RawMessage(fmt.Sprintf(`{"loan":"n%d","at":%q,"income":%.4f,"branch":"north"}`, i, first.Add(26*time.Hour+time.Duration(i)*time.Second).Format(time.RFC3339), income)))
		req.Audit = append(req.Audit, json.RawMessage(fmt.Sprintf(`{"gender":%q,"age":%d}`, gender, 20+i%60)))
		paid := 0
		if income > 0 {
			paid = 1
		}
		labels = append(labels, wire.Label{Key: fmt.Sprint("n", i), Value: json.RawMessage(fmt.Sprint(paid))})
	}
	if _, err := s.Ask(t.Context(), "loans", req); err != nil {
		t.Fatal(err)
	}
	command{args: "predict loans --audit gender", stdin: `{"loan":"c1","at":"2012-01-01T06:00Z","income":1,"branch":"north","gender":"women"}`, says: "c1"}.check(t, s.url)
	command{args: "predict loans --audit faith", code: 1, stdin: `{"loan":"c2","at":"2012-01-01T06:00Z","income":1,"branch":"north","faith":"x"}`, says: `"faith" is not a column of predict.audit`}.check(t, s.url)
	if _, err := s.Label(t.Context(), "loans", labels); err != nil { // durable, and so is what was before it
		t.Fatal(err)
	}
	command{args: "predict loans", code: 1, stdin: `{"loan":"c3","at":"2012-01-01T06:00Z","income":1,"gender":"women"}`, says: `row 0 holds "gender", which predict.audit keeps apart from rows`}.check(t, s.url)
	command{args: "predict loans --audit faith", code: 1, stdin: `{"loan":"c3","at":"2012-01-01T06:00Z","income":1}`, says: `no row has the column "faith"`}.check(t, s.url)
	s.kill()
	s = start(t, home)
	if err := s.Advance(t.Context(), first.Add(27*time.Hour)); err != nil { // a manual clock does not outlive its server
		t.Fatal(err)
	}

	seen, err := s.Groups(t.Context(), "loans", 0, "28d")
	if err != nil {
		t.Fatal(err)
	}
	if seen.Version != 1 || len(seen.Tables) != 3 {
		t.Fatalf("got %+v", seen)
	}
	if branch := seen.Tables[0]; branch.Column != "branch" || len(branch.Groups) != 1 || branch.Groups[0].Rows != 900 {
		t.Errorf("got %+v", branch)
	}
	gender := seen.Tables[1]
	if len(gender.Groups) != 2 || gender.Suppress != 1 || gender.Reference != "men" && gender.Reference != "women" {
		t.Fatalf("got %+v", gender)
	}
	for _, g := range gender.Groups {
		if g.Value == "women" && (g.Judged != evaluation.GroupLower || g.Ratio.Value > 0.7) || g.TPR != nil || g.Rows%10 != 0 {
			t.Errorf("before any truth is due: got %+v", g)
		}
	}
	if age := seen.Tables[2]; len(age.Groups) != 3 || age.Groups[0].Value != "30…60" {
		t.Errorf("got %+v", age)
	}
	if err := s.Advance(t.Context(), first.Add(120*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if seen, err = s.Groups(t.Context(), "loans", 0, "28d"); err != nil {
		t.Fatal(err)
	}
	found := run(t, s.url, "", "alerts", "loans", "-o", "json")
	if !strings.Contains(found.out, `"subject": "gender=women: selection"`) && !strings.Contains(found.out, `"subject": "gender=men: selection above"`) || !strings.Contains(found.out, "flyball groups loans") {
		t.Errorf("the watch does not tell of the groups: %s%s", found.out, found.stderr)
	}
	for _, g := range seen.Tables[1].Groups {
		if g.TPR == nil || *g.TPR < 0.9 || g.FPR == nil || *g.FPR > 0.1 || g.AUC == nil || g.Known%10 != 0 {
			t.Errorf("when the truths are due: got %+v", g)
		}
	}
	command{args: "groups loans", says: "lower"}.check(t, s.url)
	command{args: "groups loans --window 3h", code: 1, says: "whole days"}.check(t, s.url)
	command{args: "groups nobody", code: 5, says: "nobody"}.check(t, s.url)
	s.tellsNoGroupOfARow(t, home)
}

// tellsNoGroupOfARow looks for the groups wherever rows are given out.
func (s *server) tellsNoGroupOfARow(t *testing.T, home string) {
	t.Helper()
	clean := func(where, text string) {
		t.Helper()
		for _, word := range []string{"women", "a-group-of-five", "30…60", `"age"`} {
			if strings.Contains(text, word) {
				t.Errorf("%s tells of %q", where, word)
			}
		}
	}
	ps := run(t, s.url, "", "predictions", "export", "loans", "--out", "-")
	if ps.code != 0 || strings.Count(ps.out, "\n") < 900 {
		t.Errorf("export: exit %d, %d lines", ps.code, strings.Count(ps.out, "\n"))
	}
	clean("the export", ps.out)
	for _, path := range []string{
		"/v1/models/loans/predictions?last=1000", "/v1/models/loans/predictions?key=n7", "/v1/models/loans/predictions/n7/explanation", "/v1/models/loans/standing",
		"/v1/models/loans/stats", "/v1/models/loans", "/",
	} {
		r, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode == http.StatusNotFound {
			t.Errorf("%s: %s %v", path, r.Status, err)
		}
		if path == "/v1/models/loans" || path == "/" { // the model file names the columns, and the finding the group
			body = []byte(strings.NewReplacer(`"age"`, "", "women", "").Replace(string(body)))
		}
		clean(path, string(body))
	}
	sealed, err := filepath.Glob(filepath.Join(home, "predictions", "model=*", "date=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sealed {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		clean(name, string(raw))
	}
}

func TestAModelThatTakesNoAuditSaysSo(t *testing.T) {
	plain := strings.Replace(loans, "  audit: [gender, {column: age, bins: [30, 60]}]\n", "", 1)
	dir := loansFolder(t, plain)
	s := start(t, t.TempDir())
	command{args: "apply " + filepath.Join(dir, "model.yaml"), says: "applied"}.check(t, s.url)
	first, _ := time.Parse("2006-01-02T15:04Z07:00", begin)
	if err := s.Advance(t.Context(), first.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	command{
		args: "predict loans", code: 1, stdin: `{"rows":[{"loan":"c2","at":"2012-01-01T06:00Z","income":1}],"audit":[{"gender":"women"}]}`,
		says: "loans takes no audit: its model file does not switch it on; leave audit out, or name its columns under predict.audit",
	}.check(t, s.url)
}
