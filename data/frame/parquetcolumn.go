// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"flyball/fault"
)

// columnReader reads one column of a file, page by page. One goroutine at a time uses it.
type columnReader struct {
	name   string // of the file
	leaf   leaf
	column int
	max    byte // the level of a value that is there
	groups []parquet.RowGroup
	left   int64 // rows of the open group that are not in a page yet

	pages  parquet.Pages
	page   parquet.Page
	rows   int    // of the page
	at     int    // rows of it that were given
	levels []byte // of its rows; nil: all have a value
	used   int    // values of it that were given

	// What the page holds: places in a dictionary, values of the kind's own form, or
	// values that the leaf's functions read.
	places []int32
	nums   []float64
	times  []int64
	bytes  string
	ends   []uint32
	values parquet.ValueReader
	buf    []parquet.Value

	// The dictionary, as values of the column's kind.
	of    parquet.Dictionary
	words Column
	bad   map[int32]bool // those that the kind does not have
}

// wrongValue is a value that its column's kind does not have.
type wrongValue struct {
	row   int // of the chunk, from 0
	value parquet.Value
}

// Error says nothing: who reads the file knows its name and rows.
func (*wrongValue) Error() string { return "a value of another kind" }

// broken says that the column is not what the file says of it.
func (r *columnReader) broken(format string, args ...any) error {
	err := fault.New(fault.Invalid, format, args...)
	return fault.Wrap(err, fault.Invalid, "%s is damaged: column %q", r.name, r.leaf.name)
}

// fill reads n rows into c, which is empty. The error may be a *wrongValue.
func (r *columnReader) fill(c *Column, n int) (err error) {
	defer damaged(r.name, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for got := 0; got < n; {
		if r.at == r.rows {
			if err := r.next(); err != nil {
				return err
			}
		}
		k := min(n-got, r.rows-r.at)
		r.room(c, n, k)
		if err := r.take(c, k); err != nil {
			return err
		}
		r.at += k
		got += k
	}
	return nil
}

// room makes room for k more of n rows: of all at once where the page is not a small part
// of them, as the file may not hold what it says.
func (r *columnReader) room(c *Column, n, k int) {
	more := k
	if n <= 16*k {
		more = n - c.Len()
	}
	switch c.Kind {
	case Number:
		c.Num = slices.Grow(c.Num, more)
	case Text:
		c.Text = slices.Grow(c.Text, more)
	case Time:
		c.Time = slices.Grow(c.Time, more)
	}
}

// next opens the next page that has rows.
func (r *columnReader) next() error {
	r.release()
	for {
		if r.pages == nil {
			if len(r.groups) == 0 {
				return r.broken("it has fewer values than the file has rows")
			}
			r.left = r.groups[0].NumRows()
			r.pages = r.groups[0].ColumnChunks()[r.column].Pages()
			r.groups = r.groups[1:]
		}
		var err error
		if r.left == 0 {
			err = io.EOF
		} else {
			r.page, err = r.pages.ReadPage()
		}
		if errors.Is(err, io.EOF) {
			if r.left != 0 {
				return r.broken("its pages lack %d rows", r.left)
			}
			if err := r.pages.Close(); err != nil {
				return r.broken("%v", err)
			}
			r.pages = nil
			continue
		}
		if err != nil {
			return r.broken("%v", err)
		}
		rows := r.page.NumRows()
		if rows > r.left {
			return r.broken("a page has %d rows, and %d are left", rows, r.left)
		}
		r.left -= rows
		if rows > 0 {
			r.rows = int(rows)
			return r.open()
		}
		r.release()
	}
}

// release lets go of the page.
func (r *columnReader) release() {
	if r.page != nil {
		parquet.Release(r.page)
	}
	r.page, r.rows, r.at, r.used, r.levels = nil, 0, 0, 0, nil
	r.places, r.nums, r.times, r.bytes, r.ends, r.values = nil, nil, nil, "", nil, nil
}

// close lets go of all.
func (r *columnReader) close() {
	r.release()
	if r.pages != nil {
		_ = r.pages.Close() // nothing more is wanted of them
		r.pages = nil
	}
}

// open finds out how the page's values are read.
func (r *columnReader) open() error {
	if r.max > 0 {
		if r.levels = r.page.DefinitionLevels(); len(r.levels) != r.rows {
			return r.broken("a page has levels of %d of its %d rows", len(r.levels), r.rows)
		}
	}
	data := r.page.Data()
	switch {
	case r.page.Dictionary() != nil:
		r.places = data.Int32()
		return r.dictionary(r.page.Dictionary())
	case r.leaf.direct && r.leaf.kind == Number:
		r.nums = data.Double()
	case r.leaf.direct && r.leaf.kind == Time:
		r.times = data.Int64()
	case r.leaf.direct && r.leaf.kind == Text:
		bytes, ends := data.ByteArray()
		r.bytes, r.ends = string(bytes), ends // texts that share a page's memory
	default:
		r.values = r.page.Values()
		if r.buf == nil {
			r.buf = make([]parquet.Value, 256)
		}
	}
	return nil
}

// dictionary reads the dictionary of the pages that follow, once.
func (r *columnReader) dictionary(d parquet.Dictionary) error {
	if d == r.of {
		return nil
	}
	r.of, r.words, r.bad = d, Column{Field: Field{Kind: r.leaf.kind}}, nil
	for i := range int32(d.Len()) {
		if !r.put(&r.words, d.Index(i)) {
			if r.bad == nil {
				r.bad = map[int32]bool{}
			}
			r.bad[i] = true
		}
	}
	return nil
}

// take reads k rows of the page.
func (r *columnReader) take(c *Column, k int) error {
	levels := r.levels
	if levels != nil {
		levels = levels[r.at : r.at+k]
	}
	there := k
	if levels != nil {
		there = 0
		for _, l := range levels {
			if l == r.max {
				there++
			}
		}
	}
	from := r.used
	r.used += there
	if there == k {
		levels = nil
	}
	switch {
	case r.values != nil:
		return r.each(c, k)
	case r.places != nil:
		return r.named(c, k, levels, r.places[from:from+there])
	case c.Kind == Number:
		c.Num = spread(c.Num, r.nums[from:from+there], levels, r.max, nan)
	case c.Kind == Time:
		before := c.Len()
		c.Time = spread(c.Time, r.times[from:from+there], levels, r.max, NoTime)
		if slices.Contains(r.times[from:from+there], NoTime) { // which is no time that is there
			return &wrongValue{before, parquet.Int64Value(NoTime)}
		}
	default:
		return r.texts(c, k, levels, from)
	}
	return nil
}

// spread appends the values, and none where the levels say so; no levels: all are there.
func spread[T any](to, values []T, levels []byte, there byte, none T) []T {
	if levels == nil {
		return append(to, values...)
	}
	i := 0
	for _, l := range levels {
		if l == there {
			to = append(to, values[i])
			i++
		} else {
			to = append(to, none)
		}
	}
	return to
}

// texts appends k texts, the first of which is the page's value from.
func (r *columnReader) texts(c *Column, k int, levels []byte, from int) error {
	for i := range k {
		null := levels != nil && levels[i] != r.max
		s := ""
		if !null {
			s = r.bytes[r.ends[from]:r.ends[from+1]]
			from++
		}
		putText(c, s, null)
		if !utf8.ValidString(s) {
			return &wrongValue{c.Len() - 1, parquet.ByteArrayValue([]byte(s))}
		}
	}
	return nil
}

// named appends k values of the dictionary.
func (r *columnReader) named(c *Column, k int, levels []byte, places []int32) error {
	if r.bad != nil {
		at := 0
		for i := range k {
			if levels != nil && levels[i] != r.max {
				continue
			}
			if r.bad[places[at]] {
				return &wrongValue{c.Len() + i, r.of.Index(places[at])}
			}
			at++
		}
	}
	at := 0
	for i := range k {
		null := levels != nil && levels[i] != r.max
		place := 0
		if !null {
			place = int(places[at])
			at++
		}
		switch c.Kind {
		case Number:
			x := nan
			if !null {
				x = r.words.Num[place]
			}
			c.Num = append(c.Num, x)
		case Time:
			us := int64(NoTime)
			if !null {
				us = r.words.Time[place]
			}
			c.Time = append(c.Time, us)
		case Text:
			s := ""
			if !null {
				s = r.words.Text[place]
			}
			putText(c, s, null)
		}
	}
	return nil
}

// putText appends a text or none.
func putText(c *Column, s string, null bool) {
	if null && c.Null == nil {
		c.Null = make([]bool, len(c.Text), cap(c.Text))
	}
	c.Text = append(c.Text, s)
	if c.Null != nil {
		c.Null = append(c.Null, null)
	}
}

// each appends k values, each read by the leaf's function.
func (r *columnReader) each(c *Column, k int) error {
	for got := 0; got < k; {
		n, err := r.values.ReadValues(r.buf[:min(len(r.buf), k-got)])
		for _, v := range r.buf[:n] {
			if !r.put(c, v) {
				return &wrongValue{c.Len() - 1, v.Clone()}
			}
		}
		if got += n; n == 0 && got < k {
			return r.broken("a page has fewer values than rows (%v)", err)
		}
	}
	return nil
}

// put appends a value; false where its kind does not have it.
func (r *columnReader) put(c *Column, v parquet.Value) bool {
	null, ok := v.IsNull(), true
	switch c.Kind {
	case Number:
		x := nan
		if !null {
			x, ok = r.leaf.num(v)
		}
		c.Num = append(c.Num, x)
	case Text:
		s := ""
		if !null {
			s, ok = r.leaf.text(v)
		}
		putText(c, s, null)
	case Time:
		us := int64(NoTime)
		if !null {
			us, ok = r.leaf.time(v)
		}
		c.Time = append(c.Time, us)
	}
	return ok
}
