// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"flyball/serving/prediction"
)

// Rows that are told, as answered elsewhere, are not read by this server before they
// are kept.
func TestEachFaultOfTheDataHasAMonitorOfItsOwn(t *testing.T) {
	start := date(2022, 1, 1)
	profile := profileOf(t, simPolicy(), newWorld(99, 60).days(date(2020, 1, 1), 2*365))
	level := func(j *prediction.Joined, value string) {
		at := bytes.Index(j.Row, []byte(`"level":`)) + len(`"level":`)
		end := at + bytes.IndexByte(j.Row[at:], ',')
		j.Row = []byte(string(j.Row[:at]) + value + string(j.Row[end:]))
	}
	for _, c := range []struct {
		name, subject, text string
		spoil               func(i int, j *prediction.Joined)
	}{
		{"a text for a number", "level of the wrong type", `level of the wrong type in 25% of 60 rows; at training 0%; such as "n/a"`, func(i int, j *prediction.Joined) {
			if i%4 == 0 {
				level(j, `"n/a"`)
			}
		}},
		{"a list for a number", "level of the wrong type", "such as [1,2]", func(i int, j *prediction.Joined) {
			if i%4 == 0 {
				level(j, `[1, 2]`)
			}
		}},
		{"no value", "level missing", "level missing in 25% of 60 rows; at training 0%", func(i int, j *prediction.Joined) {
			if i%4 == 0 {
				level(j, `null`)
			}
		}},
		{"a sentinel", "level far out of range", "such as -999", func(i int, j *prediction.Joined) {
			if i%4 == 0 {
				level(j, `-999`)
			}
		}},
		{"a little beyond", "level out of range", "such as 5", func(i int, j *prediction.Joined) {
			if i%4 == 0 {
				level(j, `5`)
			}
		}},
		{"one value only", "level stuck", "level is stuck at 0.25", func(_ int, j *prediction.Joined) { level(j, `0.25`) }},
		{"a new word", "shop unseen", "such as zz", func(i int, j *prediction.Joined) {
			if i%4 == 0 {
				j.Row = []byte(strings.Replace(string(j.Row), `"shop":"`, `"shop":"zz`, 1))
			}
		}},
	} {
		rows := served(newWorld(98, 60).days(start, 12))
		for i := range rows {
			c.spoil(i, &rows[i])
		}
		_, findings, _ := run(t, Input{Policy: simPolicy(), Task: simTask, Profile: profile, Model: "m", Version: 3}, rows, start, start.AddDate(0, 0, 12), 24*time.Hour)
		told := ""
		for _, f := range findings {
			if f.Kind == Quality && f.Subject == c.subject {
				told = f.Text
			} else if f.Kind == Quality {
				t.Errorf("%s: got %q too", c.name, f.Text)
			}
		}
		if !strings.Contains(told, c.text) {
			t.Errorf("%s: got %q, want %q", c.name, told, c.text)
		}
	}
}
