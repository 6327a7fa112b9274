// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"strings"
	"time"

	"flyball/fault"
)

// Hours are those of each day in which nobody is told what can wait. The zero value is
// none.
type Hours struct {
	from, to int // minutes of the day; the same: none
	zone     *time.Location
}

// ParseHours reads 22:00-07:00, or with a time zone 22:00-07:00 Europe/Berlin; without
// one the machine's holds. Empty is none. The error is an Invalid fault.
func ParseHours(text string) (Hours, error) {
	if text == "" {
		return Hours{}, nil
	}
	wrong := fault.New(fault.Invalid, "%q are no hours", text).Do("write 22:00-07:00, or with a time zone 22:00-07:00 Europe/Berlin")
	hours, zone, named := strings.Cut(text, " ")
	from, to, ok := strings.Cut(hours, "-")
	a, errA := time.Parse("15:04", from)
	b, errB := time.Parse("15:04", to)
	if !ok || errA != nil || errB != nil {
		return Hours{}, wrong
	}
	h := Hours{from: a.Hour()*60 + a.Minute(), to: b.Hour()*60 + b.Minute(), zone: time.Local}
	if named {
		var err error
		if h.zone, err = time.LoadLocation(zone); err != nil || zone == "" {
			return Hours{}, wrong
		}
	}
	return h, nil
}

// Holds says whether the moment lies in the hours: from the first minute to before the
// last, by the clock of their zone.
func (h Hours) Holds(now time.Time) bool {
	if h.from == h.to {
		return false
	}
	now = now.In(h.zone)
	at := now.Hour()*60 + now.Minute()
	if h.from < h.to {
		return h.from <= at && at < h.to
	}
	return at >= h.from || at < h.to
}
