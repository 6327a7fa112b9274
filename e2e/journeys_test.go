// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"flyball/client"
)

// journey is one of docs/journeys.md.
type journey struct {
	clicks   int // at most
	commands []typed
}

// typed is a command of a journey: who says it, and how it ends.
type typed struct {
	who, line string
	code      int
}

var (
	clicksOf  = regexp.MustCompile(`\nPages, (\w+) clicks?:`)
	commandOf = regexp.MustCompile(`^(\w+)\$ (.*?)(?:\s+# exit (\d+))?$`)
)

// journeys are those of docs/journeys.md, by number from 1.
func journeys(t *testing.T) map[int]journey {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", "journeys.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]journey{}
	for i, part := range strings.Split(string(raw), "\n## J")[1:] {
		n := clicksOf.FindStringSubmatch(part)
		if n == nil || part[:1] != strconv.Itoa(i+1) {
			t.Fatalf("docs/journeys.md, J%d: it says no number of clicks", i+1)
		}
		clicks, err := strconv.Atoi(strings.Replace(n[1], "no", "0", 1))
		if err != nil {
			t.Fatal(err)
		}
		j := journey{clicks: clicks}
		_, block, _ := strings.Cut(part, "```\n")
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
			m := commandOf.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("docs/journeys.md, J%d: %q is no command of somebody", i+1, line)
			}
			code, _ := strconv.Atoi(m[3]) // none: 0
			j.commands = append(j.commands, typed{m[1], m[2], code})
		}
		out[i+1] = j
	}
	if len(out) != 8 {
		t.Fatalf("docs/journeys.md tells %d journeys", len(out))
	}
	return out
}

// story is the course of things in which the journeys lie: goes goes one of them.
func (w *town) story(t *testing.T, goes map[int]func(*testing.T)) {
	t.Helper()
	ran := true
	step := func(n int) { ran = ran && t.Run(fmt.Sprintf("J%d", n), goes[n]) }
	broken := func(h hour) map[string]any {
		return map[string]any{"temp": 3 + h.num["temp"], "lag24": 10 * h.num["lag24"]}
	}
	step(1)
	step(2)
	for range 2 {
		w.day(t, nil)
	}
	for range 3 {
		w.day(t, broken)
	}
	step(3)
	for range 2 {
		w.day(t, broken)
	}
	step(4)
	w.day(t, nil)
	for n := 5; n <= 8; n++ {
		step(n)
	}
}

// idea is the model file with more and deeper trees.
func idea(t *testing.T) string {
	return strings.Replace(inUse(t), "trees: 8, depth: 4", "trees: 80, depth: 5", 1)
}

func TestTheEightJourneysInATerminal(t *testing.T) {
	t.Parallel()
	w, told := settles(t, 9), journeys(t)
	dir := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(dir, "flyball")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"idea.yaml": idea(t), "holiday.yaml": strings.Replace(idea(t), "fix:     {owner: chen, backup: bo,", "fix:     {owner: bo, backup: ana,", 1),
		source: string(w.past),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(mlflowDatabase(t, 5), filepath.Join(dir, "mlflow.db")); err != nil {
		t.Fatal(err)
	}
	goes := map[int]func(*testing.T){}
	for n, j := range told {
		goes[n] = func(t *testing.T) {
			for _, c := range j.commands {
				w.types(t, dir, c)
				w.turn(t)
			}
		}
	}
	w.story(t, goes)
}

// types has a shell run a command of a journey in the folder.
func (w *town) types(t *testing.T, dir string, c typed) {
	t.Helper()
	got := shell(t, dir, c.line, "FLYBALL_TOKEN="+w.tokens[c.who], "FLYBALL_URL="+w.url)
	if got.code != c.code || strings.TrimSpace(got.out+got.stderr) == "" {
		t.Errorf("%s$ %s: exit %d, want %d:\n%s%s", c.who, c.line, got.code, c.code, got.out, got.stderr)
	}
	t.Logf("%s$ %s\n%s%s", c.who, c.line, got.out, got.stderr)
}

func TestTheEightJourneysInABrowser(t *testing.T) {
	t.Parallel()
	w, told := settles(t, 9), journeys(t)
	release := "/release?" + url.Values{"model": {bike}}.Encode()
	as := func(t *testing.T, n int, who string, goes func(r *reader)) {
		r := browses(t, w.url)
		r.signsIn(who, password)
		goes(r)
		if r.clicks > told[n].clicks {
			t.Errorf("%d clicks, told are %d", r.clicks, told[n].clicks)
		}
	}
	w.story(t, map[int]func(*testing.T){
		1: func(t *testing.T) {
			if err := apply(t.Context(), w.people["ana"], idea(t), w.past); err != nil {
				t.Fatal(err)
			}
			if _, err := w.people["ana"].Change(t.Context(), bike, "retrain", ""); err != nil {
				t.Fatal(err)
			}
			w.turn(t)
			runs, err := w.people["ana"].Runs(t.Context(), client.RunsAsked{Experiment: bike, OrderBy: []string{"attributes.start_time DESC"}})
			if err != nil {
				t.Fatal(err)
			}
			as(t, 1, "ana", func(r *reader) {
				r.opens("/runs?experiment=" + bike)
				r.presses("Mark run " + runs.Runs[1].ID[:8])
				r.presses("Mark run " + runs.Runs[0].ID[:8])
				r.presses("Compare marked")
				r.reads("v5", "by", "…", "rows")
			})
		},
		2: func(t *testing.T) {
			as(t, 2, "vera", func(r *reader) {
				r.opens("/inbox")
				r.reads("1 release for leave", "it waits for a validator")
				r.presses("Answer")
				r.types("Reason, for the record", "better in the rush hours")
				r.presses("Approve v5")
				r.reads("Nothing.")
				w.turn(t)
				r.opens(release)
				r.reads("v5", "Shadow")
			})
		},
		3: func(t *testing.T) {
			as(t, 3, "chen", func(r *reader) {
				r.opens(release)
				r.reads("v5 is live")
				r.presses("Roll back to v1")
				r.reads("v1 answers every request again", "It needs nobody's leave")
				r.types("Reason, for the record", "off by 100 bikes since yesterday")
				r.presses("Roll back to v1")
				r.reads("v5 was rolled back. v1 answers.")
				r.opens("/inbox")
				r.presses("Take ")
				r.reads("chen")
			})
			st, err := w.people["chen"].Status(t.Context(), bike)
			if err != nil || st.Live != 1 {
				t.Errorf("live is %d, %v", st.Live, err)
			}
		},
		4: func(t *testing.T) {
			as(t, 4, "bo", func(r *reader) {
				r.opens("/")
				r.presses("look at it")
				r.reads("findings are open", "temp far out of range", "another unit upstream")
				r.presses("temp far out of range")
				r.reads("out_of_range:temp")
			})
		},
		5: func(t *testing.T) {
			as(t, 5, "vera", func(r *reader) {
				r.opens("/predictions?model=" + bike)
				r.types("Key", "2012-01-14T17:00-05:00\r")
				r.presses("2012-01-14T17:00-05:00")
				r.reads("equal to the last bit", "What was asked", "v5")
				r.presses("Dossier")
				r.reads("equal to the last bit")
			})
		},
		6: func(t *testing.T) {
			if got := w.says(t, "chen", "reproduce", bike+"@1"); got.code != 0 {
				t.Fatal(got)
			}
			as(t, 6, "vera", func(r *reader) {
				r.opens("/model?model=" + bike)
				r.presses("v1")
				r.reads("made again", "R3, bytes equal", "by chen", "flyball reproduce "+bike+"@1")
			})
		},
		7: func(t *testing.T) {
			as(t, 7, "bo", func(r *reader) {
				r.opens("/inbox")
				r.reads("alerts open", "ana, then bo")
				r.presses("Settings")
				r.reads("bo")
			})
		},
		8: func(t *testing.T) {
			runs, err := w.people["ana"].Runs(t.Context(), client.RunsAsked{Experiment: bike})
			if err != nil {
				t.Fatal(err)
			}
			as(t, 8, "ana", func(r *reader) {
				r.opens("/#/experiments/1/runs/" + runs.Runs[0].ID)
				r.reads(runs.Runs[0].ID[:8])
				if at := until[string](r, "the address", "location.pathname"); at != "/run" {
					t.Errorf("led to %s", at)
				}
			})
		},
	})
}
