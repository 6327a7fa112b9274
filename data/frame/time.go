// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"strings"
	"time"

	"flyball/fault"
)

// layouts are the forms of ISO 8601 that are read, by whether they have a zone. A
// space may stand for the T.
var layouts = [...]string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02",
}

// ParseTime reads an ISO 8601 date or time and returns microseconds since 1970 in
// UTC. A time without a zone is UTC. The error is an Invalid fault.
func ParseTime(s string) (int64, error) {
	if len(s) >= 10 && len(s) <= 40 && s[4] == '-' {
		t := s
		if len(s) > 10 && s[10] == ' ' {
			t = s[:10] + "T" + s[11:]
		}
		for _, l := range layouts {
			if len(l) == 10 != (len(t) == 10) || strings.HasSuffix(l, "Z07:00") != zoned(t) {
				continue
			}
			if at, err := time.Parse(l, t); err == nil {
				return at.UnixMicro(), nil
			}
		}
	}
	return 0, fault.New(fault.Invalid, "%q is not a time", clip(s)).Do("write ISO 8601, such as 2016-05-03 or 2016-05-03T14:00:00Z")
}

// zoned reports whether t ends in Z or an offset.
func zoned(t string) bool {
	if strings.HasSuffix(t, "Z") {
		return true
	}
	return len(t) > 16 && strings.ContainsAny(t[11:], "+-")
}

// clip shortens a value for a message.
func clip(s string) string {
	if len(s) > 60 {
		return s[:57] + "…"
	}
	return s
}
