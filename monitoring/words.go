// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"strconv"
	"time"
)

// plural is a count with its noun: 1 row, 12,040 rows.
func plural(n int, noun string) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n == 1 {
		return digits + " " + noun
	}
	return digits + " " + noun + "s"
}

// moment is a time to the minute, or to the day where it is midnight.
func moment(t time.Time) string {
	t = t.UTC()
	if t.Truncate(24 * time.Hour).Equal(t) {
		return t.Format("2 Jan 2006")
	}
	return t.Format("2 Jan 2006 15:04")
}
