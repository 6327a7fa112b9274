// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/fault"
)

// TestTheLoopRuns takes twelve weeks of the history through the whole circle: the
// claims that Run itself checks are the test's.
func TestTheLoopRuns(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	if err := Run(context.Background(), Options{Out: &out, Keep: dir, Fast: true, Listen: "127.0.0.1:0"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > 100 && !strings.HasPrefix(line, "  ") {
			t.Errorf("%d columns: %s", n, line)
		}
		if day := len(line) > 6 && line[2] == ' ' && line[6] == ' ' && line[0] >= '0' && line[0] <= '3'; day && !strings.Contains(line, " $ flyball ") {
			t.Errorf("a happening names no command: %s", line)
		}
	}
	for _, want := range []string{"data checked", "off by: hour mean", "v1 is live", "⚡", "is taken back", "bytes equal", "All 8 claims held."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the transcript does not tell %q:\n%s", want, out.String())
		}
	}
	if err := Run(context.Background(), Options{Out: &out, Keep: dir, Fast: true, Listen: "127.0.0.1:0"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second run into the same folder: got %v", err)
	}
}

// TestTheLagsAreCountsOfThePast checks three hours by hand: the first has no past,
// and 30 October's day before was lost to the hurricane.
func TestTheLagsAreCountsOfThePast(t *testing.T) {
	hours, err := history()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]hour{}
	for _, h := range hours {
		at[h.text["ts"]] = h
	}
	for _, c := range []struct{ ts, lag24, lag168 string }{
		{"2011-01-01T00:00", "", ""},
		{"2011-01-02T00:00", "16", ""},
		{"2012-10-31T05:00", "", at["2012-10-24T05:00"].text["cnt"]},
	} {
		h, ok := at[c.ts]
		if !ok || h.text["lag24"] != c.lag24 || h.text["lag168"] != c.lag168 {
			t.Errorf("%s: got %q and %q, want %q and %q", c.ts, h.text["lag24"], h.text["lag168"], c.lag24, c.lag168)
		}
	}
	if got := at["2012-06-01T14:00"].key(); got != "2012-06-01T14:00-05:00" {
		t.Errorf("key: got %s", got)
	}
}
