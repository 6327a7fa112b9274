// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"strings"
	"time"
)

// clock reads the times of a file. Each value is read by itself, so one column may hold
// times in several forms; so a form in which day and month can be confused is none:
//
//	2016-05-03  2016/05/03  2016.05.03      the year first: year, month, day
//	03.05.2016                              points and the year last: day, month, year
//	3 May 2016  03-May-2016  May 3, 2016    the month in English, in whole or its first three letters
//
// and 03/05/2016 and 03-05-2016 are text. A time of day may follow, after a blank or a T:
// 14:00, 14:00:05, 14:00:05.123, and then a zone: Z, UTC, GMT, +02, +0200, +02:00. All
// that ParseTime reads is read, and as it reads it.
type clock struct {
	zone *time.Location // of times without one; nil: UTC. A day without a time is midnight of UTC, and so keeps its date
}

// parse is microseconds since 1970 in UTC; false where b is not a time.
func (c clock) parse(b []byte) (int64, bool) {
	if len(b) < 8 || len(b) > 48 {
		return 0, false
	}
	r := timeReader{b: b}
	year, month, day, ok := r.date()
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	us := days(year, month, day) * dayMicros
	if r.done() {
		return us, true
	}
	if !r.is('T') && !r.is('t') && !r.is(' ') {
		return 0, false
	}
	of, ok := r.ofDay()
	if !ok {
		return 0, false
	}
	us += of
	if r.done() {
		return c.local(us), true
	}
	offset, ok := r.offset()
	return us - offset*1_000_000, ok && r.done()
}

// local is the moment at which clocks in the zone show us. Where they show it twice, as at
// the end of summer time, it is the first; where they skip it, they are taken to go on as
// before, which is later by what they skip.
func (c clock) local(us int64) int64 {
	if c.zone == nil {
		return us
	}
	offset := func(at int64) int64 {
		_, s := time.UnixMicro(at).In(c.zone).Zone()
		return int64(s) * 1_000_000
	}
	before, after := offset(us-dayMicros), offset(us+dayMicros)
	if first := us - before; before == after || offset(first) == before {
		return first
	}
	if second := us - after; offset(second) == after {
		return second
	}
	return us - before
}

// timeReader reads a time from left to right.
type timeReader struct {
	b  []byte
	at int
}

func (r *timeReader) done() bool { return r.at == len(r.b) }

// is goes over c, where it is next.
func (r *timeReader) is(c byte) bool {
	if r.at < len(r.b) && r.b[r.at] == c {
		r.at++
		return true
	}
	return false
}

// number reads from least to most digits.
func (r *timeReader) number(least, most int) (int, bool) {
	n, from := 0, r.at
	for r.at < len(r.b) && r.at-from < most && r.b[r.at]-'0' <= 9 {
		n = n*10 + int(r.b[r.at]-'0')
		r.at++
	}
	return n, r.at-from >= least
}

func (r *timeReader) two() (int, bool) { return r.number(2, 2) }

// date reads a day in any of the forms.
func (r *timeReader) date() (year, month, day int, ok bool) {
	if r.b[4] == '-' || r.b[4] == '/' || r.b[4] == '.' {
		var a, b, c bool
		by := r.b[4]
		year, a = r.number(4, 4)
		r.at++
		month, b = r.two()
		sep := r.is(by)
		day, c = r.two()
		return year, month, day, a && b && c && sep
	}
	if r.b[2] == '.' && r.b[5] == '.' {
		var a, b, c bool
		day, a = r.two()
		r.at++
		month, b = r.two()
		r.at++
		year, c = r.number(4, 4)
		return year, month, day, a && b && c && (r.done() || r.b[r.at] == ' ')
	}
	return r.named()
}

// named reads a day whose month is a word: 3 May 2016, 03-May-2016, May 3, 2016, and the
// day of the week before it.
func (r *timeReader) named() (year, month, day int, ok bool) {
	if len(r.b) > 5 && r.b[3] == ',' && r.b[4] == ' ' && weekday(string(r.b[:3])) {
		r.at = 5
	}
	day, ok = r.number(1, 2)
	if !ok { // the month first
		if month = r.month(); month == 0 || !r.is(' ') {
			return 0, 0, 0, false
		}
		day, ok = r.number(1, 2)
		comma := r.is(',')
		year2, ok2 := 0, false
		if r.is(' ') {
			year2, ok2 = r.number(4, 4)
		}
		return year2, month, day, ok && ok2 && comma
	}
	by := byte(' ')
	if !r.is(by) {
		if by = '-'; !r.is(by) {
			return 0, 0, 0, false
		}
	}
	if month = r.month(); month == 0 || !r.is(by) {
		return 0, 0, 0, false
	}
	year, ok = r.number(4, 4)
	return year, month, day, ok
}

func weekday(s string) bool {
	return s != "" && strings.Contains("Mon Tue Wed Thu Fri Sat Sun", s)
}

// month reads a month's name; 0 where there is none.
func (r *timeReader) month() int {
	from := r.at
	for r.at < len(r.b) && (r.b[r.at]|0x20 >= 'a' && r.b[r.at]|0x20 <= 'z') {
		r.at++
	}
	word := string(r.b[from:r.at])
	for m := time.January; m <= time.December; m++ {
		if name := m.String(); strings.EqualFold(word, name) || strings.EqualFold(word, name[:3]) {
			return int(m)
		}
	}
	return 0
}

// ofDay reads a time of day in microseconds. Fractions of a microsecond are cut.
func (r *timeReader) ofDay() (int64, bool) {
	hour, a := r.two()
	colon := r.is(':')
	minute, b := r.two()
	if !a || !b || !colon || hour > 23 || minute > 59 {
		return 0, false
	}
	us := int64(hour*3600+minute*60) * 1_000_000
	if !r.is(':') {
		return us, true
	}
	second, ok := r.two()
	if !ok || second > 59 {
		return 0, false
	}
	us += int64(second) * 1_000_000
	if !r.is('.') && !r.is(',') {
		return us, true
	}
	from := r.at
	for each := int64(100_000); r.at < len(r.b) && r.b[r.at]-'0' <= 9; each /= 10 {
		us += int64(r.b[r.at]-'0') * each
		r.at++
	}
	return us, r.at > from
}

// offset reads a zone, in seconds east of UTC.
func (r *timeReader) offset() (int64, bool) {
	r.is(' ')
	switch rest := string(r.b[r.at:]); rest {
	case "Z", "z", "UTC", "GMT":
		r.at = len(r.b)
		return 0, true
	}
	sign := int64(1)
	if !r.is('+') {
		if !r.is('-') {
			return 0, false
		}
		sign = -1
	}
	hour, ok := r.two()
	minute := 0
	if ok && !r.done() {
		r.is(':')
		minute, ok = r.two()
	}
	return sign * int64(hour*3600+minute*60), ok && hour <= 24 && minute < 60
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// days is the day's number since 1970-01-01, as in
// https://howardhinnant.github.io/date_algorithms.html#days_from_civil.
func days(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	of := year - era*400
	m := (month + 9) % 12
	doy := (153*m+2)/5 + day - 1
	doe := of*365 + of/4 - of/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}
