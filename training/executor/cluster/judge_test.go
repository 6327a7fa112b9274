// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"testing"
	"time"

	"flyball/training/executor"
)

func TestAnAttemptWithoutAnEndIsJudgedByItsNodeFirstAndThenByItsEngine(t *testing.T) {
	seen := func(p Phase) *Seen { return &Seen{Phase: p, Reason: "why"} }
	for _, c := range []struct {
		name string
		f    facts
		want executor.State
	}{
		{"it was just asked for", facts{answered: true}, executor.Pending},
		{"it waits", facts{answered: true, seen: seen(Queued)}, executor.Pending},
		{"the engine started it, and it did not come yet", facts{answered: true, seen: seen(Running)}, executor.Pending},
		{"its node tells that it lives", facts{claimed: true, answered: true, seen: seen(Running)}, executor.Running},
		{"its node lives, and the engine does not know it", facts{claimed: true, answered: true, missed: 9}, executor.Running},
		{"its node lives, and the engine lost it", facts{claimed: true, answered: true, seen: seen(Gone)}, executor.Running},
		{"its node lives, and the engine ran it again", facts{claimed: true, answered: true, seen: seen(Again)}, executor.Running},
		{"its node is quiet for a moment", facts{claimed: true, quiet: 20, answered: true, seen: seen(Running)}, executor.Running},
		{"its node is quiet for long", facts{claimed: true, quiet: 240, answered: true, seen: seen(Running)}, executor.Lost},
		{"both are quiet for a moment", facts{claimed: true, quiet: 40}, executor.Running},
		{"both are quiet for long", facts{claimed: true, quiet: 240}, executor.Lost},
		{"the engine is quiet and nothing began", facts{missed: 1}, executor.Pending},
		{"unknown once", facts{answered: true, missed: 1}, executor.Pending},
		{"unknown twice", facts{answered: true, missed: 2}, executor.Lost},
		{"it ended before it came here", facts{answered: true, seen: seen(Broken)}, executor.Failed},
		{"it ended well and never came here", facts{answered: true, seen: seen(Done)}, executor.Failed},
		{"its supervisor is gone", facts{claimed: true, quiet: 30, answered: true, seen: seen(Broken)}, executor.Lost},
		{"a limit of the engine", facts{claimed: true, quiet: 30, answered: true, seen: seen(Over)}, executor.Failed},
		{"somebody ended it", facts{claimed: true, left: "told to end", answered: true, seen: seen(Stopped)}, executor.Canceled},
		{"it was told to end, and the engine has not noticed", facts{claimed: true, left: "told to end", answered: true, seen: seen(Running)}, executor.Running},
		{"its machine went down", facts{claimed: true, left: "told to end", answered: true, seen: seen(Gone)}, executor.Lost},
		{"the engine has not noticed that it began", facts{claimed: true, left: "told to end", answered: true, seen: seen(Queued)}, executor.Running},
		{"the engine took it back", facts{claimed: true, quiet: 30, answered: true, seen: seen(Queued)}, executor.Lost},
		{"it waits again", facts{claimed: true, quiet: 30, answered: true, seen: seen(Again)}, executor.Lost},
	} {
		c.f.beat, c.f.quiet = 10*time.Second, c.f.quiet*time.Second
		if got := judge(c.f); got.State != c.want || got.State.Final() && got.Reason == "" {
			t.Errorf("%s: got %+v, want %s", c.name, got, c.want)
		}
	}
}
