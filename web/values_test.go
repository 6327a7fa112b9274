// SPDX-License-Identifier: Apache-2.0

package web

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"flyball/experiment/compare"
	"flyball/search"
)

func TestWhateverAMetricIsCalledTheRunsCanBeSortedByIt(t *testing.T) {
	for _, name := range []string{"auc", "auc test", "gpu.mem/peak", "a`b", "`", `"quoted"`, "it's", "größe", "x DESC", "é" + strings.Repeat("long ", 40)} {
		v := runsView{Asked: asked{Experiment: "lab"}}
		h := v.heads(compare.List{Columns: []string{"metrics." + name}}, false)[1]
		to, err := url.Parse(h.Href)
		if err != nil {
			t.Fatal(err)
		}
		next := readAsked(to.Query())
		orders, err := search.RunsOrder([]string{next.Sort})
		if err != nil || len(orders) != 1 || orders[0].Key != name || !orders[0].Desc {
			t.Errorf("%q: %q sorts by %v, %v", name, next.Sort, orders, err)
		}
		if kind, key := next.sorted(); kind != "metrics" || key != name {
			t.Errorf("%q: read back as %s %q", name, kind, key)
		}
		if v.Asked = next; v.heads(compare.List{Columns: []string{"metrics." + name}}, false)[1].Sorted != "descending" {
			t.Errorf("%q: the column does not say that it is sorted by", name)
		}
	}
}

func TestTheNewestRunsStandFirstAndTheTableSaysSo(t *testing.T) {
	v := runsView{Asked: asked{Experiment: "lab"}}
	heads := v.heads(compare.List{}, false)
	at := heads[len(heads)-1]
	if at.Sorted != "descending" || !strings.Contains(at.Href, "sort=attributes.start_time+ASC") {
		t.Errorf("got %+v", at)
	}
}

func TestAFigureIsReadableHoweverLargeItIs(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{0.8336, 3, "0.834"},
		{-1e-9, 11, "−1.00e−09"},
		{0, 1, "0.0"},
		{1_000_000_011, 1, "1,000,000,011"},
		{math.MaxFloat64, 1, "1.80e+308"},
	} {
		if got := figureOf(c.v, c.digits); got != c.want {
			t.Errorf("%v: got %s, want %s", c.v, got, c.want)
		}
	}
}

func TestALongNameKeepsItsBeginningAndItsEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		want string
	}{{"auc", 3, "auc"}, {"validation loss of fold 13", 12, "validati… 13"}, {strings.Repeat("ü", 9), 6, "üüüü…ü"}} {
		got := middle(c.name, c.n)
		if got != c.want || len([]rune(got)) > c.n {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestATableThatIsWiderThanAScreenScrollsInItsOwnBox(t *testing.T) {
	var asked compare.Ask
	s := fixed(&asked)
	for range 40 {
		s.list.Columns = append(s.list.Columns, "params.a param with a name")
	}
	for _, c := range []struct {
		finder shelf
		want   bool
	}{{fixed(&asked), false}, {s, true}} {
		_, got := get(t, library(t, c.finder)+"/runs?experiment=3")
		if strings.Contains(got, `class="tw scroll"`) != c.want {
			t.Errorf("a table of %d columns: scrolls %v", len(c.finder.list.Columns), !c.want)
		}
		wellFormed(t, got)
	}
}

func TestARunThatDidNotEndWellSaysSo(t *testing.T) {
	var asked compare.Ask
	for status, want := range map[string]string{"FAILED": ">failed<", "KILLED": ">killed<", "RUNNING": ">running<", "SCHEDULED": ">scheduled<"} {
		s := fixed(&asked)
		s.list.Runs[1].Status = status
		if _, got := get(t, library(t, s)+"/runs?experiment=3"); strings.Count(got, want) != 1 {
			t.Errorf("%s: got %d times %s", status, strings.Count(got, want), want)
		}
	}
}

func TestOneMarkedRunIsHeldAgainstTheBaseline(t *testing.T) {
	var asked compare.Ask
	url := library(t, fixed(&asked))
	res, got := get(t, url+"/compare?experiment=hotel+%3Cb%3E&ref=run:7c1e")
	if res.StatusCode != http.StatusOK || !strings.Contains(got, "flyball compare run:7c1e --against baseline") {
		t.Errorf("got %s", res.Status)
	}
}

func TestAComparisonCanBeMeasuredFromEachOfItsRuns(t *testing.T) {
	shown := func(refs ...string) (out []compare.Shown) {
		for _, r := range refs {
			out = append(out, compare.Shown{Ref: r, Name: r})
		}
		return out
	}
	for _, c := range []struct {
		subjects []compare.Shown
		want     []turn
	}{
		{shown("a@1", "a@2"), []turn{{"a@2", "/compare?ref=a%402&ref=a%401"}}},
		{shown("a@1", "a@2", "a@3"), []turn{{"a@2", "/compare?ref=a%402&ref=a%401&ref=a%403"}, {"a@3", "/compare?ref=a%403&ref=a%401&ref=a%402"}}},
		{shown("constant", "a@2", "a@3"), nil},
	} {
		var v compareView
		if v.turn(c.subjects); !slices.Equal(v.Turned, c.want) {
			t.Errorf("got %v, want %v", v.Turned, c.want)
		}
	}
}
