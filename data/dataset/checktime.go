// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

// named is how many stretches of time a finding names.
const named = 3

// per counts rows in each stretch of time from that of the first row to that before
// the last row's, which is not over. The work goes with the rows, not with the years
// between them: one wrong date is one long gap.
func (c Check) per(task Task, f *frame.Frame) (finding, error) {
	at, err := task.times(f, "counts rows per "+c.Rows.Per.String())
	if err != nil {
		return finding{}, err
	}
	each := c.Rows.Per.D().Microseconds()
	counts := map[int64]int{}
	for _, us := range at {
		if us != frame.NoTime {
			counts[floorDiv(us, each)]++
		}
	}
	keys := slices.Sorted(maps.Keys(counts))
	short := 0
	var newest []string // oldest first, at most named
	note := func(k, until int64, n int) {
		if n >= c.Rows.AtLeast {
			return
		}
		short += int(until - k)
		for k = max(k, until-named); k < until; k++ {
			newest = append(newest, stretch(k*each, each)+" has "+strconv.Itoa(n))
		}
		newest = newest[max(0, len(newest)-named):]
	}
	for i := 0; i+1 < len(keys); i++ {
		note(keys[i], keys[i]+1, counts[keys[i]])
		note(keys[i]+1, keys[i+1], 0)
	}
	if short == 0 {
		return finding{}, nil
	}
	return finding{count: short, text: fmt.Sprintf("%d of %d stretches of %s have fewer than %d rows; the newest: %s",
		short, keys[len(keys)-1]-keys[0], c.Rows.Per, c.Rows.AtLeast, strings.Join(newest, ", "))}, nil
}

// stretch names the stretch of time that begins at us: by its day, or its minute
// where a day holds several.
func stretch(us, each int64) string {
	form := "2006-01-02"
	if each%(24*time.Hour).Microseconds() != 0 {
		form = "2006-01-02T15:04:05"
		if each%time.Minute.Microseconds() == 0 {
			form = "2006-01-02T15:04"
		}
	}
	return time.UnixMicro(us).UTC().Format(form)
}

// times are the rows' own times; doing says what a check needs them for.
func (t Task) times(f *frame.Frame, doing string) ([]int64, error) {
	if t.Time == "" {
		return nil, fault.New(fault.Invalid, "a check %s, and predict.time names no column", doing)
	}
	return Times(f, t.Time)
}

func (c Check) unique(f *frame.Frame) (finding, error) {
	cols := make([]*frame.Column, len(c.Unique))
	for i, name := range c.Unique {
		if cols[i] = f.Column(name); cols[i] == nil {
			return finding{}, fault.New(fault.Invalid, "a check names the column %q, which the data does not have", name)
		}
	}
	first := make(map[string]int, f.Rows())
	var bad []int
	var key []byte
	text := ""
	for i := range f.Rows() {
		key = key[:0]
		for k, col := range cols {
			if k > 0 {
				key = append(key, ", "...)
			}
			key = strconv.AppendQuote(key, col.Format(i))
		}
		was, twice := first[string(key)]
		if !twice {
			first[string(key)] = i
			continue
		}
		if bad = append(bad, i); text == "" {
			text = fmt.Sprintf("rows %d and %d have the same %s: %s", was+1, i+1, strings.Join(c.Unique, ", "), key)
		}
	}
	if len(bad) > 1 {
		text += " (" + such(len(bad)) + ")"
	}
	return finding{text, bad, len(bad)}, nil
}

func (c Check) fresh(task Task, f *frame.Frame, now time.Time) (finding, error) {
	at, err := task.times(f, "asks how old the newest row is")
	if err != nil {
		return finding{}, err
	}
	newest := int64(frame.NoTime)
	for _, us := range at {
		newest = max(newest, us)
	}
	if newest == frame.NoTime {
		return finding{text: fmt.Sprintf("no row has a time, so none is within %s", c.Fresh.Within)}, nil
	}
	last := time.UnixMicro(newest).UTC()
	age := now.Sub(last)
	if age <= c.Fresh.Within.D() {
		return finding{}, nil
	}
	return finding{text: fmt.Sprintf("the newest row, of %s, is %s old, at most %s is asked for",
		last.Format("2006-01-02T15:04Z"), unit.Duration(age.Round(time.Minute)), c.Fresh.Within)}, nil
}
