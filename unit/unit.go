// SPDX-License-Identifier: Apache-2.0

// Package unit reads and prints the quantities of a model file: durations with
// days and years, shares in percent, sizes in bytes; and the values that may be
// written in more than one form (Forms). It knows no key of the file.
package unit

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
)

// Duration is a length of time as a model file writes it: 90s, 10m, 6h, 45d, 2w,
// 1y (a year is 365 days). Zero means not set.
type Duration time.Duration

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var durationUnits = []struct {
	suffix string
	each   time.Duration
}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", day}, {"w", 7 * day}, {"y", year}}

// ParseDuration reads one number with one unit, to the millisecond. The error is an
// Invalid fault; it is one, too, when the length is positive but rounds to zero.
func ParseDuration(s string) (Duration, error) {
	t := strings.TrimSpace(s)
	for _, u := range durationUnits {
		number, ok := strings.CutSuffix(t, u.suffix)
		if !ok {
			continue
		}
		x, ok := decimal(number)
		if !ok {
			continue
		}
		d := x * float64(u.each)
		if d >= math.MaxInt64 {
			break
		}
		rounded := time.Duration(d).Round(time.Millisecond)
		if rounded < 0 || rounded == 0 && x > 0 {
			break
		}
		return Duration(rounded), nil
	}
	return 0, fault.New(fault.Invalid, "%q is not a duration", s).Do("write a number and a unit, such as 90s, 10m, 6h, 45d or 1y")
}

// D is the duration as the standard library has it.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String prints the duration in the largest unit that divides it.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	for _, u := range slices.Backward(durationUnits) {
		if u.suffix == "w" {
			continue
		}
		if time.Duration(d)%u.each == 0 {
			return strconv.FormatInt(int64(time.Duration(d)/u.each), 10) + u.suffix
		}
	}
	return time.Duration(d).String()
}

// MarshalText writes the duration as a model file has it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the duration as a model file has it.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}

// decimal reads digits with an optional point, and nothing else that a float may be.
func decimal(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}

// Share is a part of a whole, 0 to 1; a model file writes 5% or 0.05.
type Share float64

// ParseShare reads 5% or 0.05. The error is an Invalid fault.
func ParseShare(s string) (Share, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x >= 0 && x <= 1) {
		return 0, fault.New(fault.Invalid, "%q is not a share", s).Do("write 5%% or 0.05; a share lies between 0 and 1")
	}
	return Share(x), nil
}

// String prints the share in percent, or as a plain number where no percentage reads
// back the same.
func (s Share) String() string {
	if text, ok := Percent(float64(s)); ok {
		return text
	}
	return strconv.FormatFloat(float64(s), 'g', -1, 64)
}

// Percent prints x in percent: 0.05 is 5%. ok is false where no number of percent,
// divided by 100, is x again; the text is then the nearest.
func Percent(x float64) (text string, ok bool) {
	p := x * 100
	for _, try := range []float64{p, math.Nextafter(p, math.Inf(1)), math.Nextafter(p, math.Inf(-1))} {
		if short, err := strconv.ParseFloat(strconv.FormatFloat(try, 'g', 15, 64), 64); err == nil && short/100 == x {
			try = short
		}
		if try/100 == x {
			return strconv.FormatFloat(try, 'f', -1, 64) + "%", true
		}
	}
	return strconv.FormatFloat(p, 'f', -1, 64) + "%", false
}

// ParseNumber reads a limit: a plain number, a share (5% is 0.05) or a duration in
// seconds (20ms is 0.02). The error is an Invalid fault.
func ParseNumber(s string) (float64, error) {
	t := strings.TrimSpace(s)
	number, percent := strings.CutSuffix(t, "%")
	if x, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil && !math.IsNaN(x) && !math.IsInf(x, 0) {
		if percent {
			x /= 100
		}
		return x, nil
	}
	if d, err := ParseDuration(t); err == nil {
		return d.D().Seconds(), nil
	}
	return 0, fault.New(fault.Invalid, "%q is not a limit", s).Do("write a number, a share such as 5%% or a duration such as 20ms")
}

// MarshalText writes the share in percent.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 5% or 0.05.
func (s *Share) UnmarshalText(b []byte) (err error) {
	*s, err = ParseShare(string(b))
	return err
}

// Factor is how many times as much: 90% and 0.9, 300% and 3 read the same. It is 0 or more,
// at most a million.
type Factor float64

// maxFactor bounds a Factor: more is a slip.
const maxFactor = 1e6

// ParseFactor reads 300% or 3. The error is an Invalid fault.
func ParseFactor(s string) (Factor, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x >= 0 && x <= maxFactor) {
		return 0, fault.New(fault.Invalid, "%q is not a factor", s).Do("write 90%%, 300%% or 3; a factor is not negative")
	}
	return Factor(x), nil
}

// String writes 300%, or the number where no percentage is exact.
func (f Factor) String() string { return Share(f).String() }

// MarshalText writes String.
func (f Factor) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what ParseFactor reads.
func (f *Factor) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFactor(string(b))
	return err
}

// Bytes is a size; a model file writes 4GB (powers of 1000) or 4GiB (of 1024).
type Bytes int64

var byteUnits = []struct {
	suffix string
	each   int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}}

// ParseBytes reads a size. The error is an Invalid fault.
func ParseBytes(s string) (Bytes, error) {
	t := strings.TrimSpace(s)
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(t, u.suffix); ok {
			x, ok := decimal(strings.TrimSpace(number))
			if ok && x*float64(u.each) < math.MaxInt64 {
				return Bytes(x * float64(u.each)), nil
			}
			break
		}
	}
	return 0, fault.New(fault.Invalid, "%q is not a size", s).Do("write a number and a unit, such as 500MB or 4GB")
}

// String prints the size in the largest decimal unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[3:] {
		if int64(b) != 0 && int64(b)%u.each == 0 {
			return fmt.Sprintf("%d%s", int64(b)/u.each, u.suffix)
		}
	}
	return fmt.Sprintf("%dB", int64(b))
}

// MarshalText writes the size as a model file has it.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads the size as a model file has it.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}
