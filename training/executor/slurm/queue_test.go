// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"testing"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// The lines are those of Slurm 22.05.
func TestWhatSqueueSaysIsRead(t *testing.T) {
	for _, c := range []struct {
		line string
		want cluster.Seen
	}{
		{"7|a|flyball:1|PENDING|Resources|0|0|", cluster.Seen{Phase: cluster.Queued, Reason: "Resources"}},
		{"7|a|flyball:1|RUNNING|None|0|0|", cluster.Seen{Phase: cluster.Running}},
		{"7|a|flyball:1|COMPLETING|None|0|0|", cluster.Seen{Phase: cluster.Running}},
		{"7|a|flyball:1|COMPLETED|None|0|0|", cluster.Seen{Phase: cluster.Done}},
		{"7|a|flyball:1|FAILED|NonZeroExitCode|1280|0|", cluster.Seen{Phase: cluster.Broken, Exit: 5, Reason: "NonZeroExitCode"}},
		{"7|a|flyball:1|FAILED|NonZeroExitCode|5:0|0|", cluster.Seen{Phase: cluster.Broken, Exit: 5, Reason: "NonZeroExitCode"}},
		{"7|a|flyball:1|FAILED|JobLaunchFailure|9|0|", cluster.Seen{Phase: cluster.Broken, Exit: 137, Reason: "JobLaunchFailure"}},
		{"7|a|flyball:1|TIMEOUT|TimeLimit|0|0|", cluster.Seen{Phase: cluster.Over, Reason: "TIMEOUT TimeLimit"}},
		{"7|a|flyball:1|OUT_OF_MEMORY|OutOfMemory|0:125|0|", cluster.Seen{Phase: cluster.Over, Exit: 253, Reason: "OUT_OF_MEMORY OutOfMemory"}},
		{"7|a|flyball:1|CANCELLED|None|15|0|", cluster.Seen{Phase: cluster.Stopped, Exit: 143, Reason: "CANCELLED"}},
		{"7|a|flyball:1|NODE_FAIL|NodeDown|0|0|", cluster.Seen{Phase: cluster.Gone, Reason: "NODE_FAIL NodeDown"}},
		{"7|a|flyball:1|PREEMPTED|None|0|0|", cluster.Seen{Phase: cluster.Gone, Reason: "PREEMPTED"}},
		{"7|a|flyball:1|PENDING|BeginTime|0|1|", cluster.Seen{Phase: cluster.Again, Reason: "BeginTime"}},
		{"7|a|flyball:1|RUNNING|None|0|1|", cluster.Seen{Phase: cluster.Again}},
		{"7|a|flyball:1|REQUEUE_HOLD|launch failed requeued held|0|0|", cluster.Seen{Phase: cluster.Again, Reason: "launch failed requeued held"}},
	} {
		got, err := parse(c.line + "\n")
		if err != nil || len(got) != 1 {
			t.Errorf("%s: got %+v, %v", c.line, got, err)
			continue
		}
		if s := got[0].seen(); s != c.want || got[0].id != "7" || got[0].name != "a" || got[0].comment != "flyball:1" {
			t.Errorf("%s: got %+v, want %+v", c.line, s, c.want)
		}
	}
}

func TestAnArrayGoesOnAsLongAsOneOfItsTasksAndEndsAsTheWorst(t *testing.T) {
	for _, c := range []struct {
		text string
		want cluster.Phase
	}{
		{"7|a|c|COMPLETED|None|0|0|\n7|a|c|RUNNING|None|0|0|\n", cluster.Running},
		{"7|a|c|FAILED|None|256|0|\n7|a|c|PENDING|Resources|0|0|\n", cluster.Queued},
		{"7|a|c|COMPLETED|None|0|0|\n7|a|c|FAILED|None|256|0|\n", cluster.Broken},
		{"7|a|c|NODE_FAIL|None|0|0|\n7|a|c|FAILED|None|256|0|\n", cluster.Gone},
		{"7|a|c|COMPLETED|None|0|0|\n7|a|c|COMPLETED|None|0|0|\n", cluster.Done},
	} {
		got, err := parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if s := together(got); s.Phase != c.want {
			t.Errorf("%q: got %+v, want %s", c.text, s, c.want)
		}
	}
}

func TestLinesOfOtherFieldsAreRefusedAndForeignOnesLeftOut(t *testing.T) {
	if _, err := parse("7|a|\n"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	got, err := parse("7|a|b|c|COMPLETED|None|0|0|\n\n8|a|c|COMPLETED|None|0|0|\n")
	if err != nil || len(got) != 1 || got[0].id != "8" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestOnlyWhatFailsAgainIsARefusal(t *testing.T) {
	for said, want := range map[string]bool{
		"sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified":     true,
		"sbatch: error: Batch job submission failed: Requested node configuration is not available":                                          true,
		"sbatch: error: Invalid generic resource (gres) specification":                                                                       true,
		"sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)":                                   false,
		"sbatch: error: Batch job submission failed: Socket timed out on send/recv operation":                                                false,
		"sbatch: error: If munged is up, restart with --num-threads=10\nsbatch: error: Munge encode failed: Failed to access \"/run/munge\"": false,
	} {
		if got := refused(said); got != want {
			t.Errorf("%s: got %v", said, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("7|a|flyball:1|FAILED|NonZeroExitCode|1280|0|\n")
	f.Add("7|a|b|c|COMPLETED|None|5:0|x|\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := parse(text)
		if err == nil && len(lines) > len(text)/8+1 {
			t.Errorf("%d lines of %d bytes", len(lines), len(text))
		}
		if s := together(lines); s.Exit < 0 || s.Exit > 255 {
			t.Errorf("got %+v", s)
		}
	})
}
