// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"strconv"

	"flyball/fault"
)

// table is rows as a caller sent them: columns of values that are not read yet.
type table struct {
	src   text
	names []string
	cells [][]span // by column and row; a zero span is an absent value
	rows  int

	// places says that the columns have no names but their places.
	places bool

	at map[string]int // by name, where somebody asked
}

// maxRows bounds the rows of a request, and maxColumns the columns.
const (
	maxRows    = 1_000_000
	maxColumns = 10_000
)

// column is a column by its name; nil where there is none.
func (t *table) column(name string) []span {
	if t.places {
		return nil
	}
	if t.at == nil {
		t.at = make(map[string]int, len(t.names))
		for i, n := range t.names {
			t.at[n] = i
		}
	}
	i, ok := t.at[name]
	if !ok {
		return nil
	}
	return t.cells[i]
}

// has reports whether the table has a column of the name.
func (t *table) has(name string) bool {
	t.column(name)
	_, ok := t.at[name]
	return ok
}

// number gives columns that have no names those of their places.
func (t *table) number(columns int) {
	t.places = true
	t.names = make([]string, columns)
	for i := range t.names {
		t.names[i] = strconv.Itoa(i)
	}
}

// rowLists fills the table with rows that are lists. Rows of different lengths, and
// such as do not fit the columns, are an error that names the row.
func (t *table) rowLists(data span) error {
	width := -1
	if t.names != nil {
		width = len(t.names)
		t.cells = make([][]span, width)
	}
	for row := range t.src.items(data) {
		if t.src.kind(row) != '[' && width == 1 { // a column of values
			t.cells[0] = append(t.cells[0], row)
			t.rows++
			continue
		}
		if t.src.kind(row) != '[' {
			return invalidInput("Row %d of the data is a %s, not a list.", t.rows, t.src.python(row))
		}
		n := 0
		for cell := range t.src.items(row) {
			switch {
			case width < 0:
				t.cells = append(t.cells, nil)
			case n >= width:
				return t.ragged(row, width)
			}
			t.cells[n] = append(t.cells[n], cell)
			n++
		}
		if width < 0 {
			width = n
		}
		if n != width {
			return t.ragged(row, width)
		}
		if t.rows++; t.rows > maxRows {
			return tooManyRows()
		}
	}
	if len(t.cells) > maxColumns {
		return fault.New(fault.TooLarge, "the data has %d columns, more than %d", len(t.cells), maxColumns)
	}
	if t.names == nil {
		t.number(len(t.cells))
	}
	return nil
}

func (t *table) ragged(row span, width int) error {
	n := 0
	for range t.src.items(row) {
		n++
	}
	return invalidInput("Row %d of the data has %d values, and there are %d columns.", t.rows, n, width)
}

func tooManyRows() error {
	return fault.New(fault.TooLarge, "more than %d rows in one request", maxRows).Do("send them in several requests")
}

// records fills the table with rows that are objects. A column that a row does not have
// is missing there.
func (t *table) records(data span) error {
	t.names, t.at = []string{}, map[string]int{}
	budget := 2*len(t.src) + 4096 // values in all: few rows have no more than they say
	for row := range t.src.items(data) {
		if t.src.kind(row) != '{' {
			return invalidInput("Record %d is a %s, not a dictionary.", t.rows, t.src.python(row))
		}
		for name, cell := range t.src.members(row) {
			i, ok := t.at[name]
			if !ok {
				if i = len(t.names); i == maxColumns {
					return fault.New(fault.TooLarge, "the records have more than %d columns", maxColumns)
				}
				t.at[name] = i
				t.names = append(t.names, name)
				t.cells = append(t.cells, nil)
			}
			for len(t.cells[i]) <= t.rows { // absent in rows before
				t.cells[i] = append(t.cells[i], span{})
				if budget--; budget < 0 {
					return fault.New(fault.TooLarge, "the records have too few columns in common").Do("send columns that all of them have")
				}
			}
			t.cells[i][t.rows] = cell
		}
		if t.rows++; t.rows > maxRows {
			return tooManyRows()
		}
	}
	if len(t.names)*t.rows > 2*len(t.src)+4096 {
		return fault.New(fault.TooLarge, "the records have too few columns in common").Do("send columns that all of them have")
	}
	for i := range t.cells {
		for len(t.cells[i]) < t.rows {
			t.cells[i] = append(t.cells[i], span{})
		}
	}
	return nil
}

// columns fills the table with columns that are lists of one length, or with one row of
// values that are none.
func (t *table) columns(data span) error {
	t.at = map[string]int{}
	lists := 0
	for name, values := range t.src.members(data) {
		var cells []span
		if t.src.kind(values) == '[' {
			lists++
			cells = make([]span, 0, 4)
			for cell := range t.src.items(values) {
				cells = append(cells, cell)
			}
		} else {
			cells = []span{values}
		}
		i, ok := t.at[name]
		if !ok {
			if i = len(t.names); i == maxColumns {
				return fault.New(fault.TooLarge, "there are more than %d columns", maxColumns)
			}
			t.at[name] = i
			t.names, t.cells = append(t.names, name), append(t.cells, nil)
		}
		t.cells[i] = cells
	}
	for i, cells := range t.cells {
		if i == 0 {
			t.rows = len(cells)
		}
		if len(cells) != t.rows || lists != 0 && lists < len(t.cells) {
			return invalidInput("Column %s has %d values, and column %s has %d.", t.names[i], len(cells), t.names[0], t.rows)
		}
	}
	if t.rows > maxRows {
		return tooManyRows()
	}
	return nil
}
