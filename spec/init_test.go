// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/spec"
)

func suggest(t *testing.T, name string, text []byte, predict string) spec.Suggestion {
	t.Helper()
	s, err := trySuggest(t, name, text, predict)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func trySuggest(t *testing.T, name string, text []byte, predict string) (spec.Suggestion, error) {
	t.Helper()
	r, err := frame.OpenBytes(name, text, frame.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Suggest(name, f, predict)
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reasons are the columns left out, each with its reason.
func reasons(s spec.Suggestion) string {
	var out []string
	for _, l := range s.Left {
		out = append(out, l.Column+": "+l.Reason)
	}
	return strings.Join(out, "\n")
}

func inputs(s spec.Suggestion) string {
	var out []string
	for _, f := range s.Model.Pipeline.Inputs {
		out = append(out, f.Name+" "+f.Kind.String())
	}
	return strings.Join(out, ", ")
}

func TestColumnsThatAddUpToTheAnswerAreLeftOut(t *testing.T) {
	s := suggest(t, "bikes.csv", file(t, "bikes.csv"), "cnt")
	want := `dteday: key and time of a row
casual: adds up to the answer: casual + registered = cnt
registered: adds up to the answer: casual + registered = cnt`
	if got := reasons(s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s.Model.Predict.Kind != dataset.Regression || !slices.Equal(s.Model.Predict.Never, []string{"casual", "registered"}) {
		t.Errorf("got kind %s, never %v", s.Model.Predict.Kind, s.Model.Predict.Never)
	}
	if s.Model.Predict.Time != "dteday" {
		t.Errorf("got time %q", s.Model.Predict.Time)
	}
	if r := s.Model.Gate.Metrics[0]; r.Name != "mae" || r.Margin == nil || *r.Margin < 1.2 || *r.Margin > 1.7 {
		t.Errorf("the first rule is %+v", r)
	}
}

func TestAColumnThatPredictsTheAnswerAloneIsLeftOut(t *testing.T) {
	s := suggest(t, "hotels.csv", file(t, "hotels.csv"), "is_canceled")
	if got := reasons(s); !strings.Contains(got, "reservation_status: predicts is_canceled almost alone (AUC 1.000)") {
		t.Errorf("left out are\n%s", got)
	}
	if s.Model.Predict.Kind != dataset.Binary || !slices.Equal(s.Model.Predict.Never, []string{"reservation_status"}) {
		t.Errorf("got kind %s, never %v", s.Model.Predict.Kind, s.Model.Predict.Never)
	}
	got := inputs(s)
	for _, want := range []string{"hotel text", "lead_time number", "market_segment text", "deposit_type text", "adr number"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is no input; there are %s", want, got)
		}
	}
}

func TestTheTimeOfAskingAndThatOfTheTruthAreToldApart(t *testing.T) {
	s := suggest(t, "bookings.csv", file(t, "bookings.csv"), "is_canceled")
	p := s.Model.Predict
	if p.Time != "booked_on" || p.Truth.DueAt != "label_due_on" || p.Truth.KnownAt != "label_on" {
		t.Errorf("got time %q, truth %+v", p.Time, p.Truth)
	}
	if got := inputs(s); strings.Contains(got, "label") {
		t.Errorf("the truth is among the inputs: %s", got)
	}
}

// table makes a CSV of n rows by a function of the row's number.
func table(head string, n int, row func(i int) string) []byte {
	var b strings.Builder
	b.WriteString(head + "\n")
	for i := range n {
		b.WriteString(row(i) + "\n")
	}
	return []byte(b.String())
}

func TestWhatAColumnHoldsDecidesWhatBecomesOfIt(t *testing.T) {
	// Numbers that look like chance, the same in each run.
	chance := func(i, k, of int) int { return int(uint32(i*2654435761+k*40503)>>8) % of }
	s := suggest(t, "My Table (1).csv", table("key,yes_or_no,y,copy,same,empty,note,colour,town,size,twice", 400, func(i int) string {
		y := chance(i, 1, 2)
		return fmt.Sprintf("k%d,%d,%d,%d,x,,free text %d,c%d,t%d,%d.5,%d", i, chance(i, 2, 2), y, y, i%390, chance(i, 3, 4), chance(i, 4, 30), chance(i, 5, 1000), chance(i, 5, 7))
	}), "y")
	want := `key: key of a row
copy: equal to y
same: always the same
empty: no value
note: text with 390 different values in 400 rows; too few rows of each to learn from`
	if got := reasons(s); got != want {
		t.Errorf("left out\n%s\nwant\n%s", got, want)
	}
	if got := inputs(s); got != "yes_or_no number, colour text, town text, size number, twice number" {
		t.Errorf("got inputs %s", got)
	}
	m := s.Model
	if m.Name != "my-table-1" || m.Predict.ID != "key" || m.Predict.Time != "" || m.Predict.Kind != dataset.Binary {
		t.Errorf("got %s, %+v", m.Name, m.Predict)
	}
	if len(m.Pipeline.Steps) != 2 || m.Pipeline.Steps[0].Op != "one_hot" || m.Pipeline.Steps[0].In[0] != "colour" ||
		m.Pipeline.Steps[1].Op != "ordinal" || m.Pipeline.Steps[1].By != "frequency" || m.Pipeline.Steps[1].In[0] != "town" {
		t.Errorf("got steps %+v", m.Pipeline.Steps)
	}
}

func TestTheKindFollowsFromTheLabel(t *testing.T) {
	for _, c := range []struct {
		name  string
		label func(i int) string
		want  dataset.Kind
	}{
		{"0 and 1", func(i int) string { return fmt.Sprint(i * i / 7 % 2) }, dataset.Binary},
		{"two words", func(i int) string { return []string{"good", "bad"}[i*i/7%2] }, dataset.Multiclass},
		{"three codes", func(i int) string { return fmt.Sprint(1 + i*i/7%3) }, dataset.Multiclass},
		{"some numbers", func(i int) string { return fmt.Sprint(i * i / 7 % 31 * 3) }, dataset.Regression},
		{"fractions", func(i int) string { return fmt.Sprintf("%d.25", i*i/7%3) }, dataset.Regression},
	} {
		s := suggest(t, "a.csv", table("x,y", 200, func(i int) string { return fmt.Sprintf("%d,%s", i*i*31%17, c.label(i)) }), "y")
		if s.Model.Predict.Kind != c.want {
			t.Errorf("%s: got %s", c.name, s.Model.Predict.Kind)
		}
	}
}

func TestATableThatNoModelCanBeMadeOfIsToldWhy(t *testing.T) {
	rows := func(n int, row string) []byte {
		return table("x,y", n, func(i int) string { return fmt.Sprintf(row, i%7, i%5) })
	}
	for _, c := range []struct {
		name, predict, want string
		text                []byte
	}{
		{"another column", "yy", `a.csv has no column "yy"; did you mean "y"?`, rows(100, "%d,%d")},
		{"few rows", "y", `column "y" has 20 values; a model needs at least 50, and a judgement some hundreds`, rows(20, "%d,%d")},
		{"nothing to predict", "y", `column "y" always holds "3"; there is nothing to predict`, table("x,y", 100, func(i int) string { return fmt.Sprintf("%d,3", i) })},
		{"free text", "y", `column "y" is text with 200 different values; that is not a set of classes`, table("x,y", 200, func(i int) string { return fmt.Sprintf("%d,t%d", i%7, i) })},
		{"nothing to learn from", "y", "no column is left to learn from: x (equal to y)", table("x,y", 100, func(i int) string { return fmt.Sprintf("%d,%d", i%31*3, i%31*3) })},
	} {
		_, err := trySuggest(t, "a.csv", c.text, c.predict)
		if err == nil || err.Error() != c.want || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestNamesThatYAMLWouldMisreadComeThrough(t *testing.T) {
	names := []string{"yes", "on", "null", "1", "a: b", "#c", "größe", `q"uote`, "- x", "{y}"}
	head := `label`
	for _, n := range names {
		head += `,"` + strings.ReplaceAll(n, `"`, `""`) + `"`
	}
	s := suggest(t, "../odd name.csv", table(head, 200, func(i int) string {
		row := fmt.Sprint(i * i / 7 % 2)
		for k := range names {
			row += fmt.Sprintf(",%d", i*(i+k)*29%(11+k))
		}
		return row
	}), "label")
	var got []string
	for _, f := range s.Model.Pipeline.Inputs {
		got = append(got, f.Name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("got %q", got)
	}
}
