// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/ident"
	"flyball/serving/prediction"
)

// laid is the keys of a page of a table of 250 rows, at an address.
func laid(t *testing.T, address string) (table, string) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	x := table{ID: "x", Name: "things", Columns: []column{{"name", "Name", false}, {"size", "Size", true}, {"", "Note", false}}}
	rows := make([]tableRow, 250)
	for i := range rows {
		rows[i] = tableRow{Key: strconv.Itoa(i), Cells: []tableCell{{Text: fmt.Sprintf("n%03d", i)}, number(strconv.Itoa(i%7), float64(i%7)), {Text: "even odd"[i%2*5 : i%2*5+3+(1-i%2)]}}}
	}
	x.lay(at, rows)
	if len(x.Rows) == 0 {
		return x, ""
	}
	return x, fmt.Sprintf("%d rows, %s to %s", len(x.Rows), x.Rows[0].Key, x.Rows[len(x.Rows)-1].Key)
}

func TestATableIsSortedFilteredAndPagedByItsAddress(t *testing.T) {
	for _, c := range []struct{ address, want, shown, next, first string }{
		{"/p?m=a", "100 rows, 0 to 99", "100 of 250 rows.", "/p?m=a&x.after=99", ""},
		{"/p?m=a&x.after=99", "100 rows, 100 to 199", "100 of 250 rows.", "/p?m=a&x.after=199", "/p?m=a"},
		{"/p?x.after=199", "50 rows, 200 to 249", "50 of 250 rows.", "", "/p?"},
		{"/p?x.after=gone", "100 rows, 0 to 99", "100 of 250 rows.", "/p?x.after=99", "/p?"},
		{"/p?x.sort=-name", "100 rows, 249 to 150", "100 of 250 rows.", "/p?x.after=150&x.sort=-name", ""},
		{"/p?x.sort=size&x.after=248", "100 rows, 4 to 202", "100 of 250 rows.", "/p?x.after=202&x.sort=size", "/p?x.sort=size"},
		{"/p?x.q=N01+odd", "5 rows, 11 to 19", "5 rows.", "", ""},
		{"/p?x.q=nobody", "", "No row holds these words.", "", ""},
		{"/p?x.sort=nix", "100 rows, 0 to 99", "100 of 250 rows.", "/p?x.after=99&x.sort=nix", ""},
	} {
		x, got := laid(t, c.address)
		if got != c.want || x.Shown() != c.shown || x.Next != c.next || x.First != c.first {
			t.Errorf("%s: %s; %s; next %s; first %s", c.address, got, x.Shown(), x.Next, x.First)
		}
	}
	x, _ := laid(t, "/p?m=a&x.sort=-size&x.after=3")
	if h := x.Heads[1]; h.Sorted != "descending" || h.Href != "/p?m=a&x.sort=size" {
		t.Errorf("sorted by size: %+v", h)
	}
	if h := x.Heads[0]; h.Sorted != "" || h.Href != "/p?m=a&x.sort=name" || x.Heads[2].Href != "" {
		t.Errorf("the others: %+v, %+v", h, x.Heads[2])
	}
	if len(x.Keep) != 2 || x.Keep[0].Key != "m" || x.Keep[1].Key != "x.sort" {
		t.Errorf("kept by the form: %v", x.Keep)
	}
}

// crowd is a log of 300 predictions, of which 250 have one event time.
type crowd struct{}

func (crowd) Scan(_ context.Context, q prediction.Query, do func(prediction.Joined) error) error {
	var all []prediction.Joined
	for i := range 300 {
		at := noon.Add(time.Duration(max(0, i-249)) * time.Minute)
		if q.To.IsZero() || at.Before(q.To) {
			all = append(all, prediction.Joined{Record: prediction.Record{ID: ident.PredictionID(fmt.Sprintf("p%03d", i)), Time: at}})
		}
	}
	for _, j := range all[max(0, len(all)-q.Last):] {
		if err := do(j); err != nil {
			return err
		}
	}
	return nil
}

func TestPredictionsArePagedByTheirPlaceEvenWhereTimesAreEqual(t *testing.T) {
	p := &pages{Options: Options{Predictions: crowd{}}}
	var got []string
	for before := ""; ; {
		page, err := p.answers(t.Context(), prediction.Query{}, before)
		if err != nil {
			t.Fatal(err)
		}
		more := len(page) > tableRows
		for _, j := range page[:min(len(page), tableRows)] {
			got = append(got, string(j.ID))
		}
		if !more {
			break
		}
		before = placeOf(&page[tableRows-1].Record)
	}
	if len(got) != 300 || got[0] != "p299" || got[299] != "p000" || strings.Join(got[99:102], " ") != "p200 p199 p198" {
		t.Errorf("%d predictions: %v", len(got), got)
	}
	if _, err := p.answers(t.Context(), prediction.Query{}, "x"); err == nil {
		t.Error("x is taken for a place")
	}
}
