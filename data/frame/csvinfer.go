// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"flyball/fault"
)

// evidence is what the values of one column say about its kind. Evidence of later rows
// is put to that of earlier ones, so that who looked at which rows makes no difference.
type evidence struct {
	filled   bool
	notTime  bool
	notPoint bool // some value is no quantity when the decimal point is a point
	notComma bool // … when it is a comma

	point, comma int // the line of the first quantity with one; 0: none
}

// and adds the evidence of later rows.
func (e *evidence) and(o *evidence) {
	e.filled = e.filled || o.filled
	e.notTime = e.notTime || o.notTime
	e.notPoint = e.notPoint || o.notPoint
	e.notComma = e.notComma || o.notComma
	if e.point == 0 {
		e.point = o.point
	}
	if e.comma == 0 {
		e.comma = o.comma
	}
}

// text reports whether nothing that comes can make it other than text.
func (e *evidence) text() bool { return e.notTime && e.notPoint && e.notComma }

// kind is what the column holds, numbers having the given point. A column without any
// value is of numbers.
func (e *evidence) kind(point byte) Kind {
	switch {
	case !e.filled, point == '.' && !e.notPoint, point == ',' && !e.notComma:
		return Number
	case !e.notTime:
		return Time
	}
	return Text
}

// looker gathers evidence. One goroutine at a time uses it.
type looker struct {
	how   *dialect
	c     cursor
	kinds []Kind // pinned; 0: to be found out
}

func newLooker(name string, fields []Field, how *dialect) *looker {
	l := &looker{how: how, kinds: make([]Kind, len(fields))}
	for i, f := range fields {
		l.kinds[i] = f.Kind
	}
	l.c = cursor{name: name, delim: how.delim, stops: stopsOf(how.delim), most: len(fields)}
	return l
}

// look reads a block; decided is what is known already.
func (l *looker) look(b block, decided []evidence) ([]evidence, error) {
	out, skip := make([]evidence, len(decided)), make([]bool, len(decided))
	for i := range decided {
		e := &out[i]
		e.notTime = decided[i].notTime
		e.notPoint = decided[i].notPoint || l.how.point == ','
		e.notComma = decided[i].notComma || l.how.point == '.'
		pinned := l.kinds[i] == Text || l.kinds[i] == Time || l.kinds[i] == Number && l.how.point != 0
		skip[i] = pinned || e.text()
	}
	l.c.begin(b)
	rows, bad := 0, 0
	for {
		if bad <= rows/2+8 { // else most records are not plain
			n, end := l.plain(out, skip, b.b[l.c.at:])
			rows += n
			l.c.at += end
			l.c.line += n
			bad++
		}
		some, err := l.c.next()
		if err != nil {
			return nil, err
		}
		if !some {
			return out, nil
		}
		if l.c.values != len(out) {
			return nil, ragged(&l.c, len(out))
		}
		for i := range out {
			if !skip[i] {
				l.value(&out[i], l.c.value(i))
				skip[i] = out[i].text()
			}
		}
		rows++
	}
}

// value takes one value for evidence.
func (l *looker) value(e *evidence, b []byte) {
	if l.how.numeric && l.how.isMissing(b) {
		return
	}
	if !e.notPoint {
		if _, is := parseNumber(b, '.'); is != 0 && is&isCode == 0 {
			e.filled, e.notTime = true, true
			if is&hasPoint != 0 {
				if e.point == 0 {
					e.point = l.c.record
				}
				e.notComma = true
			}
			return
		}
	}
	l.other(e, b)
}

// other takes a value that is not plainly a number with a point.
func (l *looker) other(e *evidence, b []byte) {
	if l.how.isMissing(b) {
		return
	}
	if b = trim(b); l.how.isMissing(b) {
		return
	}
	e.filled = true
	if !e.notPoint {
		_, is := parseNumber(b, '.')
		e.notPoint = is == 0 || is&isCode != 0
		if !e.notPoint && is&hasPoint != 0 && e.point == 0 {
			e.point = l.c.record
		}
	}
	if !e.notComma {
		_, is := parseNumber(b, ',')
		e.notComma = is == 0 || is&isCode != 0
		if !e.notComma && is&hasPoint != 0 && e.comma == 0 {
			e.comma = l.c.record
		}
	}
	if !e.notTime {
		_, ok := l.how.clock.parse(b)
		e.notTime = !ok
	}
}

// settle says what the columns hold and which decimal point the file has, from the
// evidence of all rows. A file in which some columns are numbers with a comma alone and
// some with a point alone is an Invalid fault, as 1.234 may be either.
func settle(name string, fields []Field, how *dialect, all []evidence) error {
	if how.point == 0 {
		how.point = '.'
		comma, point := -1, -1
		for i := range all {
			e := &all[i]
			if fields[i].Kind != 0 && fields[i].Kind != Number {
				continue
			}
			if comma < 0 && e.comma != 0 && !e.notComma {
				comma = i
			}
			if point < 0 && e.point != 0 && !e.notPoint {
				point = i
			}
		}
		switch {
		case comma >= 0 && point >= 0:
			return fault.New(fault.Invalid, "%s: column %q has a decimal comma (line %d), and column %q a decimal point (line %d)",
				name, fields[comma].Name, all[comma].comma, fields[point].Name, all[point].point).
				Do("say which it is: decimal: \",\" or decimal: \".\"; columns that do not have it are then text")
		case comma >= 0:
			how.point = ','
		}
	}
	for i := range fields {
		if fields[i].Kind == 0 {
			fields[i].Kind = all[i].kind(how.point)
		}
	}
	return nil
}
