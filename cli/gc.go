// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/governance/retention"
	"flyball/unit"
)

func gcCommand(e *env) *cobra.Command {
	var older, grace string
	var dry bool
	c := &cobra.Command{
		Use: "gc", Short: "Remove for good what was deleted, and bytes that nothing refers to", Args: cobra.NoArgs,
		Long:    "Removes runs, logged models and experiments that were deleted longer ago than --older-than,\nwith their files, snapshots older than that of which no version was made, and every byte that nothing refers to any more. What a version or a record\nrefers to stays. It may be stopped and run again.",
		Example: "  flyball gc --dry-run\n  flyball gc --older-than 30d\n  flyball gc --older-than 0s --grace 0s   # all that is deleted, now",
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := wire.CollectRequest{DryRun: dry}
			var err error
			if in.OlderThan, err = given(cmd, "older-than", older); err != nil {
				return err
			}
			if in.Grace, err = given(cmd, "grace", grace); err != nil {
				return err
			}
			r, err := e.client().Collect(cmd.Context(), in, func(s retention.Step) {
				if s.Total > 0 {
					e.say("%s: %d of %d", s.What, s.Done, s.Total)
				} else if s.Done > 0 {
					e.say("%s: %d so far", s.What, s.Done)
				}
			})
			if err != nil {
				return err
			}
			if err := e.show(r, collected(r)); err != nil {
				return err
			}
			if dry {
				e.say("nothing was removed: this was a dry run")
			}
			if r.Young.Number > 0 {
				e.say("%s that nothing refers to are too young to go: a later gc takes them, or --grace 0s", size(r.Young.Bytes))
			}
			if r.Held > 0 {
				e.say("%d deleted things are kept, for they hold files of a version or something that is not deleted", r.Held)
			}
			return nil
		},
	}
	c.Flags().StringVar(&older, "older-than", "", "remove what was deleted longer ago than this (default what the server keeps, or 30d)")
	c.Flags().StringVar(&grace, "grace", "", "keep bytes that are younger than this, which somebody may be about to use (default 1d)")
	c.Flags().BoolVar(&dry, "dry-run", false, "count what would go; remove nothing")
	return c
}

// given is a flag's duration; nil when it was not given.
func given(cmd *cobra.Command, name, text string) (*unit.Duration, error) {
	if !cmd.Flags().Changed(name) {
		return nil, nil
	}
	d, err := unit.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("invalid argument %q for --%s: %w", text, name, err)
	}
	return &d, nil
}

func collected(r retention.Result) table {
	t := table{head: []string{"what", "number", "bytes"}}
	for _, l := range []struct {
		what   string
		number int
	}{{"runs", r.Runs}, {"logged models", r.Models}, {"experiments", r.Experiments}, {"folders of versions", r.Versions}, {"snapshots", r.Snapshots}} {
		t.add(l.what, strconv.Itoa(l.number), "")
	}
	t.add("blobs", strconv.Itoa(r.Blobs.Number), size(r.Blobs.Bytes))
	t.add("broken uploads", strconv.Itoa(r.Parts.Number), size(r.Parts.Bytes))
	t.add("kept", strconv.Itoa(r.Kept.Number), size(r.Kept.Bytes))
	return t
}

// size is a number of bytes with three digits.
func size(n int64) string {
	x := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if x < 1000 {
			return fmt.Sprintf("%.3g %s", x, u)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.3g TB", x)
}
