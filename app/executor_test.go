// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"
	"time"
)

func TestWhatIsLeftOfAJobIsKeptForADayAndAsLongAsOlderWorkIsUnderWay(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what         string
		oldest, want time.Time
	}{
		{"nothing is under way", time.Time{}, now.AddDate(0, 0, -1)},
		{"a job has waited in its queue for a week", now.AddDate(0, 0, -7), now.AddDate(0, 0, -8)},
		{"a job was just added", now, now.AddDate(0, 0, -1)},
		{"a job was added by a clock that is ahead", now.Add(time.Hour), now.AddDate(0, 0, -1)},
	} {
		if got := unwaited(now, c.oldest); !got.Equal(c.want) {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}
