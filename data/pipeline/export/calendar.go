// SPDX-License-Identifier: Apache-2.0

package export

import "math"

// periods are after how much a part of a time comes again.
var periods = map[string]int{"month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60, "yearday": 366}

// circle is the sine and cosine of each value of a part, as float32; what is nearer to 0
// than 1e-9 is 0.
func circle(period int) (sin, cos []float64) {
	near := func(x float64) float64 {
		if math.Abs(x) < 1e-9 {
			return 0
		}
		return float64(float32(x))
	}
	for v := range period + 1 {
		angle := 2 * math.Pi * float64(v) / float64(period)
		sin, cos = append(sin, near(math.Sin(angle))), append(cos, near(math.Cos(angle)))
	}
	return sin, cos
}

// calendar is the parts of times in microseconds since 1970, in whole numbers: the
// civil date of a day count, as https://howardhinnant.github.io/date_algorithms.html has
// it, where the year begins in March.
func (w *writer) calendar(us string) map[string]string {
	const daily = 24 * 3600 * 1_000_000
	n := w.wholes
	days, rest := w.divide(us, daily)
	hour := w.node("Div", rest, n(3600*1_000_000))
	minute := w.node("Mod", w.node("Div", rest, n(60*1_000_000)), n(60))
	_, weekday := w.divide(w.node("Add", days, n(3)), 7)

	era, day := w.divide(w.node("Add", days, n(719468)), 146097) // day of 400 years
	of := w.node("Sub", day, w.node("Div", day, n(1460)))
	of = w.node("Sub", w.node("Add", of, w.node("Div", day, n(36524))), w.node("Div", day, n(146096)))
	of = w.node("Div", of, n(365)) // year of 400
	gone := w.node("Sub", w.node("Add", w.node("Mul", of, n(365)), w.node("Div", of, n(4))), w.node("Div", of, n(100)))
	since := w.node("Sub", day, gone) // days since the first of March
	march := w.node("Div", w.node("Add", w.node("Mul", since, n(5)), n(2)), n(153))
	begins := w.node("Div", w.node("Add", w.node("Mul", march, n(153)), n(2)), n(5))
	early := w.node("GreaterOrEqual", march, n(10)) // January and February are of the year before
	year := w.node("Add", w.node("Add", of, w.node("Mul", era, n(400))), w.cast(early, int64Kind))
	month := w.node("Add", march, w.node("Where", early, n(-9), n(3)))
	yearday := w.node("Where", early, w.node("Sub", since, n(305)), w.node("Add", w.node("Add", since, n(60)), w.leap(year)))
	return map[string]string{
		"year": year, "month": month, "day": w.node("Add", w.node("Sub", since, begins), n(1)),
		"weekday": weekday, "hour": hour, "minute": minute, "yearday": yearday,
	}
}

// leap is 1 in a leap year.
func (w *writer) leap(year string) string {
	by := func(d int64) string {
		_, rest := w.divide(year, d)
		return w.node("Equal", rest, w.wholes(0))
	}
	return w.cast(w.node("And", by(4), w.node("Or", w.node("Not", by(100)), by(400))), int64Kind)
}

// divide is the quotient, rounded down, and the rest, which is not negative. Div of
// ONNX rounds towards zero.
func (w *writer) divide(x string, by int64) (quotient, rest string) {
	quotient = w.node("Div", x, w.wholes(by))
	rest = w.node("Sub", x, w.node("Mul", quotient, w.wholes(by)))
	below := w.cast(w.node("Less", rest, w.wholes(0)), int64Kind)
	return w.node("Sub", quotient, below), w.node("Add", rest, w.node("Mul", below, w.wholes(by)))
}
