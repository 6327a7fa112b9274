// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/examples"
	"flyball/spec"
)

// TestSuggestedChecksReadBackAndHold writes checks for columns whose names and values are
// hard to quote, puts them into a model file and runs what is read from it.
func TestSuggestedChecksReadBackAndHold(t *testing.T) {
	odd := []string{"a \"b\" \\ c", "tab\tand\nline", "\u007f\u0085\u2028\ufeff", "ä: {x}, #y", "\x01"}
	const n = 200
	num, y, words, ids := make([]float64, n), make([]float64, n), make([]string, n), make([]string, n)
	for i := range n {
		num[i], y[i], words[i], ids[i] = float64(i%10)/10, float64(i%3), odd[i%len(odd)], fmt.Sprint("id", i)
	}
	f := frame.New(frame.TextColumn("id", ids, nil), frame.TextColumn("it's: \"odd\"", words, nil), frame.NumberColumn("hum", num), frame.NumberColumn("y", y))
	task := dataset.Task{Column: "y", Kind: dataset.Regression, ID: "id"}
	s, err := dataset.Write(t.Context(), blob.Memory(), frame.FromMemory(f), task)
	if err != nil {
		t.Fatal(err)
	}
	got := dataset.Suggest(s, task)
	for _, want := range []string{
		"  checks:\n    - unique: [\"id\"]\n    - rows: {at_least: 100}\n    - growth: {at_least: 90%}\n    - stuck: {}\n    - leaks: {}\n",
		`    - {column: "hum", type: number, missing: {at_most: 0%}, min: 0, max: 1}` + "\n",
		`    - {column: "y", type: number, min: 0}` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant in it\n%s", got, want)
		}
	}
	raw, err := examples.Bike.ReadFile("bike-demand/model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	from, to := strings.Index(text, "  checks:\n"), strings.Index(text, "\npipeline:\n")
	file, err := spec.Parse("model.yaml", []byte(text[:from]+got+"    - growth: {at_most: 300%}\n"+text[to:]))
	if err != nil {
		t.Fatal(err)
	}
	checks := file.Model.Data.Checks
	i := slices.IndexFunc(checks, func(c dataset.Check) bool { return c.Column == "it's: \"odd\"" })
	if i < 0 {
		t.Fatalf("the odd column is not there: %+v", checks)
	}
	slices.Sort(odd)
	if allowed := slices.Sorted(slices.Values(checks[i].Allowed)); !slices.Equal(allowed, odd) {
		t.Errorf("got %q, want %q", allowed, odd)
	}
	if last := checks[len(checks)-1].Growth; last == nil || last.AtMost != 3 {
		t.Errorf("growth: got %+v", last)
	}
	problems, err := dataset.Run(checks, task, f, dataset.Given{Before: n})
	if err != nil || len(problems) != 0 {
		t.Errorf("got %+v, %v", problems, err)
	}
}
