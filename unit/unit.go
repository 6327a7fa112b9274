// SPDX-License-Identifier: Apache-2.0

// Package unit reads and prints the quantities of a model file: durations with
// days and years, shares in percent, sizes in bytes. It knows no key of the file.
package unit

import (
	"fmt"
	"math"
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

// ParseDuration reads one number with one unit. The error is an Invalid fault.
func ParseDuration(s string) (Duration, error) {
	t := strings.TrimSpace(s)
	for _, u := range durationUnits {
		number, ok := strings.CutSuffix(t, u.suffix)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(number, 64)
		if err != nil {
			continue
		}
		if x < 0 || x*float64(u.each) > math.MaxInt64 {
			break
		}
		return Duration(x * float64(u.each)), nil
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
	for i := len(durationUnits) - 1; i >= 0; i-- {
		u := durationUnits[i]
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

// String prints the share in percent.
func (s Share) String() string { return strconv.FormatFloat(float64(s)*100, 'g', 12, 64) + "%" }

// MarshalText writes the share in percent.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 5% or 0.05.
func (s *Share) UnmarshalText(b []byte) (err error) {
	*s, err = ParseShare(string(b))
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
			x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err == nil && x >= 0 && x*float64(u.each) < math.MaxInt64 {
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
