// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"

	"flyball/event"
	"flyball/unit"
)

// tableRows is how many rows a page of a table has.
const tableRows = 100

// table is a long table: sorted, filtered and paged here, with all of that in the address
// of its page, under names that begin with its ID. A page of it begins after the row of a
// key, so that rows that come meanwhile move nothing.
type table struct {
	ID, Name string // the ID is an element's, too
	Empty    string // what is said when there is no row at all; may be empty
	Columns  []column
	Rows     []tableRow

	Path        string
	Keep        []pair // the other parts of the address, for the form
	Filter      string
	Heads       []head
	Of          int    // rows in all that the filter leaves
	All         int    // rows in all
	First, Next string // addresses; empty: this is the first page, or the last

	words bool // rows are filtered by words
}

// column is one column of a table. Key names it in addresses; empty: nothing is sorted by it.
type column struct {
	Key, Name string
	Number    bool
}

// tableRow is a row. Key tells it from all others of the table.
type tableRow struct {
	Key   string
	Here  bool // the one that the page is about
	Cells []tableCell
}

// tableCell is a value. By orders the column; where it is equal the text does.
type tableCell struct {
	Text, Small, Href string
	Command           string
	Mark              event.Mark
	Drawn             template.HTML
	By                float64
}

// number is a cell that is ordered by its value.
func number(text string, by float64) tableCell { return tableCell{Text: text, By: by} }

// at is a part of the table's state in an address.
func (t *table) at(q url.Values, part string) string { return q.Get(t.ID + "." + part) }

// href is the address of the page with parts of the table's state changed; an empty value
// takes one away.
func (t *table) href(q url.Values, parts ...string) string {
	out := url.Values{}
	maps.Copy(out, q)
	for i := 0; i+1 < len(parts); i += 2 {
		if parts[i+1] == "" {
			out.Del(t.ID + "." + parts[i])
		} else {
			out.Set(t.ID+"."+parts[i], parts[i+1])
		}
	}
	return t.Path + "?" + out.Encode()
}

// lay takes all rows and leaves those of the page that is asked for. The order given is
// the order until somebody sorts.
func (t *table) lay(at *url.URL, rows []tableRow) {
	q := at.Query()
	t.All, t.Filter, t.words = len(rows), t.at(q, "q"), true
	if words := strings.Fields(strings.ToLower(t.Filter)); len(words) > 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r tableRow) bool { return !r.holds(words) })
	}
	t.Of = len(rows)
	by, down := strings.CutPrefix(t.at(q, "sort"), "-")
	if i := slices.IndexFunc(t.Columns, func(c column) bool { return c.Key != "" && c.Key == by }); i >= 0 {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b tableRow) int {
			way := a.Cells[i].compare(b.Cells[i])
			if down {
				return -way
			}
			return way
		})
	}
	if after := t.at(q, "after"); after != "" {
		i := slices.IndexFunc(rows, func(r tableRow) bool { return r.Key == after })
		rows = rows[i+1:]
	}
	more := ""
	if len(rows) > tableRows {
		rows = rows[:tableRows]
		more = rows[tableRows-1].Key
	}
	t.show(at, rows, more)
}

// show takes the rows of the page that is asked for; more is the key that the next one
// begins after, empty: there is none.
func (t *table) show(at *url.URL, rows []tableRow, more string) {
	q := at.Query()
	t.Rows, t.Path = rows, at.Path
	t.Of, t.All = max(t.Of, len(rows)), max(t.All, len(rows))
	for _, k := range slices.Sorted(maps.Keys(q)) {
		if k != t.ID+".q" && k != t.ID+".after" {
			t.Keep = append(t.Keep, pair{Key: k, Value: q.Get(k)})
		}
	}
	if more != "" {
		t.Next = t.href(q, "after", more)
	}
	if t.at(q, "after") != "" {
		t.First = t.href(q, "after", "")
	}
	by, down := strings.CutPrefix(t.at(q, "sort"), "-")
	for _, c := range t.Columns {
		h := head{Name: c.Name, Number: c.Number}
		if c.Key != "" {
			next := c.Key
			switch {
			case c.Key == by && down:
				h.Sorted = "descending"
			case c.Key == by:
				h.Sorted, next = "ascending", "-"+c.Key
			case c.Number: // the most first
				next = "-" + c.Key
			}
			h.Href = t.href(q, "sort", next, "after", "")
		}
		t.Heads = append(t.Heads, h)
	}
}

func (c tableCell) compare(d tableCell) int {
	return cmp.Or(cmp.Compare(c.By, d.By), strings.Compare(strings.ToLower(c.Text), strings.ToLower(d.Text)))
}

// holds reports whether each word is somewhere in the row.
func (r tableRow) holds(words []string) bool {
	var all strings.Builder
	for _, c := range r.Cells {
		all.WriteString(strings.ToLower(c.Text + " " + c.Small + " "))
	}
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all.String(), w) })
}

// Long reports whether the table is long enough to be filtered.
func (t table) Long() bool { return t.words && (t.All > 10 || t.Filter != "") }

// Shown says how many of how many rows the page has.
func (t table) Shown() string {
	switch {
	case t.Filter != "" && t.Of == 0:
		return "No row holds these words."
	case t.Of > len(t.Rows):
		return unit.Count(len(t.Rows)) + " of " + many(t.Of, "row") + "."
	case t.Filter != "":
		return many(t.Of, "row") + "."
	}
	return ""
}
