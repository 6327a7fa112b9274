// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"cmp"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"flyball/data/frame"
)

// Bounds of a profile.
const (
	maxDistinct = 1000    // distinct values that are counted
	maxTop      = 20      // most frequent values that are named
	maxTopText  = 200     // bytes of one; a longer text is not named
	sampleRows  = 1 << 16 // of which quantiles are made; of fewer rows they are exact
	quantiles   = 20      // steps
	sidesRows   = 4096    // from which on columns are looked at side by side
)

// ColumnProfile is a column in figures. What is of one kind is zero for the others.
type ColumnProfile struct {
	Name     string  `json:"name"`
	Missing  int     `json:"missing"`
	Distinct int     `json:"distinct"` // counted up to 1,000
	Min      float64 `json:"min"`      // Number; of those that are finite, as Max, Mean and SD
	Max      float64 `json:"max"`
	Mean     float64 `json:"mean"`
	SD       float64 `json:"sd,omitempty"`       // of the values there are; 0 also where it is too large for a number
	Infinite int     `json:"infinite,omitempty"` // Number

	// Quantiles are of Number, or of Time in seconds since 1970: 21, at 0 %, 5 % … 100 %,
	// each a value of the column. Of more than 65,536 rows they are of a sample of
	// about half as many or more, the first and the last excepted.
	Quantiles []float64 `json:"quantiles,omitempty"`
	From      time.Time `json:"from,omitzero"` // Time
	To        time.Time `json:"to,omitzero"`
	Longest   int       `json:"longest,omitempty"` // Text, in bytes
	Top       []Top     `json:"top,omitempty"`     // the most frequent values of at most 1,000, at most 20
}

// Top is a value and how many rows have it.
type Top struct {
	Value string `json:"value"` // as frame.Column.Format writes it
	Rows  int    `json:"rows"`
}

// profiler makes the profile of rows that come in chunks. It depends on the rows and
// their order alone.
type profiler struct {
	cols []column
	rows int
	keep []int    // places in the chunk that come into the sample
	of   []uint64 // rows of the sample
	most uint64   // a row whose drawn number is not above this is in the sample
}

// column is what is known of one column so far.
type column struct {
	frame.Field
	missing, infinite int
	n                 int     // finite values
	shift             float64 // the first of them
	min, max          float64
	sum               float64 // of the values × tiny
	s1, s2            float64 // of the values less shift, and their squares
	from, to          int64
	longest           int
	bits              counts // of Number and Time
	texts             map[string]*int
	many              bool // texts are no longer counted
	sample            []float64
}

// tiny has the sum of as many numbers as there can be rows stay a number. It is a power
// of two, so that nothing else is lost.
const tiny = 1.0 / (1 << 40)

func newProfiler(fields []frame.Field) *profiler {
	p := &profiler{cols: make([]column, len(fields)), most: math.MaxUint64}
	for i, f := range fields {
		p.cols[i] = column{Field: f, from: math.MaxInt64, to: math.MinInt64}
		if f.Kind == frame.Text {
			p.cols[i].texts = map[string]*int{}
		}
	}
	return p
}

func (p *profiler) add(f *frame.Frame) {
	p.draw(f.Rows())
	p.each(f.Rows(), func(i int) {
		c, col := &p.cols[i], &f.Columns()[i]
		switch c.Kind {
		case frame.Number:
			c.numbers(col.Num)
			for _, k := range p.keep {
				c.sample = append(c.sample, col.Num[k])
			}
		case frame.Time:
			c.moments(col.Time)
			for _, k := range p.keep {
				c.sample = append(c.sample, seconds(col.Time[k]))
			}
		case frame.Text:
			c.words(col)
		}
	})
	p.rows += f.Rows()
	p.thin()
}

// each does every column, two at once where there are many rows of them.
func (p *profiler) each(rows int, do func(column int)) {
	workers := min(2, runtime.GOMAXPROCS(0))
	if rows < sidesRows {
		workers = 1
	}
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(p.cols); i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

func seconds(us int64) float64 {
	if us == frame.NoTime {
		return math.NaN()
	}
	return float64(us) / 1e6
}

// draw picks the rows of a chunk that come into the sample: by a number that is made of
// the row's place, so that chunks and columns have no part in it.
func (p *profiler) draw(rows int) {
	p.keep = p.keep[:0]
	for i := range rows {
		at := uint64(p.rows + i)
		if drawn(at) <= p.most {
			p.keep, p.of = append(p.keep, i), append(p.of, at)
		}
	}
}

func drawn(row uint64) uint64 {
	x := mix(mix(row+1, 0)*0xbf58476d1ce4e5b9, 0)
	return x ^ x>>29
}

// thin halves a sample that has grown too large until it has not. Whether a row is in it
// at the end depends on the number of rows alone.
func (p *profiler) thin() {
	for len(p.of) > sampleRows {
		p.most /= 2
		stay := 0
		for i, row := range p.of {
			if drawn(row) > p.most {
				continue
			}
			p.of[stay] = row
			for k := range p.cols {
				if s := p.cols[k].sample; s != nil {
					s[stay] = s[i]
				}
			}
			stay++
		}
		p.of = p.of[:stay]
		for k := range p.cols {
			if s := p.cols[k].sample; s != nil {
				p.cols[k].sample = s[:stay]
			}
		}
	}
}

// numbers counts in variables of its own, which stay in registers, and looks for distinct
// values in a pass of its own, while there are few.
func (c *column) numbers(values []float64) {
	n, shift, low, high, sum, s1, s2 := c.n, c.shift, c.min, c.max, c.sum, c.s1, c.s2
	for _, x := range values {
		if x-x != 0 { // no number, or infinite
			if x != x {
				c.missing++
			} else {
				c.infinite++
			}
			continue
		}
		if n == 0 {
			shift, low, high = x, x, x
		}
		n++
		low, high = min(low, x), max(high, x)
		d := x - shift
		sum += float64(x * tiny) // the conversions keep two roundings two, on every processor
		s1 += d
		s2 += float64(d * d)
	}
	c.n, c.shift, c.min, c.max, c.sum, c.s1, c.s2 = n, shift, low, high, sum, s1, s2
	c.bits.numbers(values)
}

func (c *column) moments(values []int64) {
	for _, us := range values {
		if us == frame.NoTime {
			c.missing++
			continue
		}
		c.bits.add(uint64(us))
		c.from, c.to = min(c.from, us), max(c.to, us)
	}
}

// words counts the texts. The same text of a file's dictionary lies in the same place, so
// where a text lies tells in most rows which it is, and its bytes are not looked at.
func (c *column) words(col *frame.Column) {
	var near [512]struct {
		at   *byte
		size int
		hits *int
	}
	for i, s := range col.Text {
		if col.Null != nil && col.Null[i] {
			c.missing++
			continue
		}
		c.longest = max(c.longest, len(s))
		if c.many {
			continue
		}
		at := unsafe.StringData(s)
		k := &near[mix(uint64(uintptr(unsafe.Pointer(at))), uint64(len(s)))%uint64(len(near))]
		if k.hits != nil && k.at == at && k.size == len(s) {
			*k.hits++
			continue
		}
		hits, known := c.texts[s]
		if !known {
			if c.many = len(c.texts) == maxDistinct; c.many {
				continue
			}
			hits = new(int)
			c.texts[string([]byte(s))] = hits // the text may lie in a chunk that is to go
		}
		*hits++
		k.at, k.size, k.hits = at, len(s), hits
	}
}

func (p *profiler) columns() []ColumnProfile {
	out := make([]ColumnProfile, len(p.cols))
	p.each(p.rows, func(i int) { out[i] = p.cols[i].profile() })
	return out
}

func (c *column) profile() ColumnProfile {
	out := ColumnProfile{Name: c.Name, Missing: c.missing, Infinite: c.infinite, Longest: c.longest}
	switch c.Kind {
	case frame.Number:
		out.Distinct = c.bits.n
		if c.n > 0 {
			n := float64(c.n)
			out.Min, out.Max, out.Mean = c.min, c.max, min(max(c.sum/n/tiny, c.min), c.max)
			if c.min == c.max {
				out.Mean = c.min
			}
			if v := (c.s2 - float64(c.s1/n*c.s1)) / n; v > 0 && !math.IsInf(v, 0) {
				out.SD = math.Sqrt(v)
			}
		}
		out.Quantiles = steps(c.sample, c.min, c.max, c.n)
		out.Top = c.bits.top(func(b uint64) string {
			one := frame.NumberColumn("", []float64{math.Float64frombits(b)})
			return one.Format(0)
		})
	case frame.Time:
		out.Distinct = c.bits.n
		if c.from <= c.to {
			out.From, out.To = time.UnixMicro(c.from).UTC(), time.UnixMicro(c.to).UTC()
			out.Quantiles = steps(c.sample, seconds(c.from), seconds(c.to), 1)
		}
		out.Top = c.bits.top(func(b uint64) string {
			one := frame.TimeColumn("", []int64{int64(b)})
			return one.Format(0)
		})
	case frame.Text:
		out.Distinct = len(c.texts)
		if !c.many {
			for s, n := range c.texts {
				out.Top = append(out.Top, Top{s, *n})
			}
			out.Top = most(out.Top)
		}
	}
	return out
}

// steps are the quantiles of a sample; the ends are known from all values.
func steps(sample []float64, first, last float64, n int) []float64 {
	if n == 0 {
		return nil
	}
	sorted := slices.DeleteFunc(slices.Clone(sample), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	slices.Sort(sorted)
	out := make([]float64, quantiles+1)
	for i := range out {
		switch {
		case i == 0:
			out[i] = first
		case i == quantiles:
			out[i] = last
		case len(sorted) == 0: // all values are outside the sample
			out[i] = first
		default:
			out[i] = sorted[(len(sorted)-1)*i/quantiles]
		}
	}
	return out
}

// most are the most frequent, those of the same number by their value.
func most(all []Top) []Top {
	slices.SortFunc(all, func(a, b Top) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value)) })
	all = all[:min(len(all), maxTop)]
	return slices.DeleteFunc(all, func(t Top) bool { return len(t.Value) > maxTopText })
}

// counts are how often each of up to maxDistinct values stands: a table of open places,
// which is small enough to stay near the processor.
type counts struct {
	places *[places]place
	n      int
	many   bool // more than maxDistinct: nothing is counted any more
}

type place struct {
	key  uint64
	hits int // 0: the place is free
}

const places = 2048 // a power of two, and about twice maxDistinct

// numbers counts those that are numbers.
func (c *counts) numbers(values []float64) {
	for _, x := range values {
		if c.many {
			return
		}
		if x != x {
			continue
		}
		b := math.Float64bits(x + 0) // -0 is 0
		if t := c.places; t != nil {
			if p := &t[mix(b, 0)%places]; p.key == b && p.hits > 0 { // in most rows of few values
				p.hits++
				continue
			}
		}
		c.add(b)
	}
}

func (c *counts) add(b uint64) {
	if c.many {
		return
	}
	if c.places == nil {
		c.places = new([places]place)
	}
	i := mix(b, 0) % places
	for c.places[i].hits > 0 && c.places[i].key != b {
		i = (i + 1) % places
	}
	p := &c.places[i]
	if p.hits == 0 {
		if c.n == maxDistinct {
			c.many, c.places = true, nil
			return
		}
		c.n++
		p.key = b
	}
	p.hits++
}

func (c *counts) top(format func(uint64) string) []Top {
	if c.places == nil {
		return nil
	}
	var out []Top
	for _, p := range c.places {
		if p.hits > 0 {
			out = append(out, Top{format(p.key), p.hits})
		}
	}
	return most(out)
}

// Profile makes the profile of the rows of r, as a snapshot of them would have it, in
// memory that their number does not matter for: the next rows are read while these are
// counted. It returns the number of rows too.
func Profile(r frame.Reader) (columns []ColumnProfile, rows int, err error) {
	chunks, stop := make(chan *frame.Frame), make(chan error, 1)
	go func() {
		defer close(chunks)
		for {
			f, err := r.Next()
			if err != nil {
				stop <- err
				return
			}
			chunks <- f
		}
	}()
	var p *profiler
	for f := range chunks {
		if p == nil {
			p = newProfiler(f.Fields())
		}
		p.add(f)
	}
	if err := <-stop; !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	if p == nil {
		return nil, 0, nil
	}
	return p.columns(), p.rows, nil
}
