// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/event"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/monitoring"
)

func statusCommand(e *env) *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "status [MODEL]", Short: "How the models stand, stage by stage of the loop", Args: cobra.MaximumNArgs(1),
		Example: "  flyball status\n  flyball status hotel-cancel -o wide\n  flyball status --watch",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !watch {
				return e.status(cmd.Context(), args)
			}
			tick := time.NewTicker(2 * time.Second)
			defer tick.Stop()
			for {
				if e.terminal {
					fmt.Fprint(e.out, "\x1b[H\x1b[2J")
				}
				if err := e.status(cmd.Context(), args); err != nil {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-tick.C:
				}
			}
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every two seconds until Ctrl-C")
	return c
}

func (e *env) status(ctx context.Context, args []string) error {
	var all []wire.Status
	var err error
	if len(args) == 1 {
		var one wire.Status
		one, err = e.client().Status(ctx, args[0])
		all = []wire.Status{one}
	} else {
		all, err = e.client().Statuses(ctx)
	}
	if err != nil {
		return err
	}
	t := table{head: []string{"model", "live", "data", "training", "gate", "release", "serving", "watch", "retraining", "owner"}}
	for _, s := range all {
		row := []string{s.Model, "-"}
		if s.Live != 0 {
			row[1] = fmt.Sprintf("v%d", s.Live)
		}
		for _, c := range s.Cells {
			text := c.Word
			if e.format == "wide" && c.Detail != "" {
				text += " (" + c.Detail + ")"
			}
			row = append(row, text)
		}
		for len(row) < len(t.head)-1 {
			row = append(row, "-")
		}
		t.add(append(row, s.Owner)...)
	}
	if err := e.show(all, t); err != nil || e.format != "table" && e.format != "wide" {
		return err
	}
	for _, s := range all {
		if s.Glass != nil {
			fmt.Fprintf(e.out, "\n%s: %s\n", s.Model, s.Glass.Text)
		}
	}
	return nil
}

// model is the one named, or the only one there is.
func (e *env) model(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	all, err := e.client().Statuses(ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fault.New(fault.Invalid, "there are %d models; name one", len(all)).Do("see flyball status")
	}
	return all[0].Model, nil
}

func watchCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "watch [MODEL]", Short: "Tell what happens, as it happens, until Ctrl-C", Args: cobra.MaximumNArgs(1),
		Example: "  flyball watch\n  flyball watch hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			model := strings.Join(args, "")
			last, err := e.client().LastEvents(cmd.Context(), model, 10)
			if err != nil {
				return err
			}
			after := int64(0)
			for _, ev := range last {
				fmt.Fprintln(e.out, line(ev))
				after = ev.Seq
			}
			err = e.client().Watch(cmd.Context(), after, model, func(ev event.Event) error {
				_, err := fmt.Fprintln(e.out, line(ev))
				return err
			})
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
}

// line is an event in one line of a terminal.
func line(e event.Event) string {
	return fmt.Sprintf("%s  %-12s %-9s %s", when(e.At), e.Model, e.Kind, e.Text)
}

func eventsCommand(e *env) *cobra.Command {
	var last int
	c := &cobra.Command{
		Use: "events [MODEL]", Short: "What happened", Args: cobra.MaximumNArgs(1),
		Example: "  flyball events hotel-cancel --last 50\n  flyball events -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			evs, err := e.client().LastEvents(cmd.Context(), strings.Join(args, ""), last)
			if err != nil {
				return err
			}
			t := table{head: []string{"at", "model", "kind", "what", "by", "command"}, short: 4}
			for _, ev := range evs {
				t.add(when(ev.At), ev.Model, ev.Kind, ev.Text, ev.By, ev.Command)
			}
			return e.show(evs, t)
		},
	}
	c.Flags().IntVar(&last, "last", 30, "the newest so many, at most 1000")
	return c
}

func versionsCommand(e *env) *cobra.Command {
	var aliases bool
	c := &cobra.Command{
		Use: "versions [MODEL]", Short: "A model's versions, newest first, or the moves of its aliases", Args: cobra.MaximumNArgs(1),
		Example: "  flyball versions hotel-cancel -o wide\n  flyball versions hotel-cancel --aliases",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			if aliases {
				return e.aliasHistory(cmd.Context(), model)
			}
			vs, err := e.client().Versions(cmd.Context(), model)
			if err != nil {
				return err
			}
			t := table{head: []string{"version", "alias", "gate", "made", "cause", "seen until", "source", "run", "tags", "stage", "by", "bundle"}, short: 6}
			for _, v := range vs {
				if v.Source != "" {
					t.short = 9 // where it comes from
				}
				tags := make([]string, len(v.Tags))
				for i, tag := range v.Tags {
					tags[i] = tag.Key + "=" + tag.Value
				}
				t.add(v.Ref.String(), strings.Join(v.Aliases, ","), v.Verdict, when(v.CreatedAt), causeOf(v), when(v.SeenUntil),
					v.Source, string(v.RunID), strings.Join(tags, " "), string(v.Stage), v.CreatedBy, string(v.Bundle))
			}
			return e.show(vs, t)
		},
	}
	c.Flags().BoolVar(&aliases, "aliases", false, "who moved which alias, when, from where and to where")
	return c
}

// causeOf is why there is a version, in a word.
func causeOf(v registry.Version) string {
	if v.Cause == "" && v.Source != "" {
		return "registered"
	}
	return v.Cause
}

func (e *env) aliasHistory(ctx context.Context, model string) error {
	moves, err := e.client().AliasHistory(ctx, model)
	if err != nil {
		return err
	}
	t := table{head: []string{"at", "alias", "from", "to", "by"}}
	for _, m := range moves {
		t.add(when(m.At), m.Alias, versionName(m.From), versionName(m.To), m.By)
	}
	return e.show(moves, t)
}

// versionName is a version's number as tables show it; 0 is none.
func versionName(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("v%d", n)
}

func releasesCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "releases [MODEL]", Short: "A model's releases, newest first", Args: cobra.MaximumNArgs(1),
		Example: "  flyball releases hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			rs, err := e.client().Releases(cmd.Context(), model)
			if err != nil {
				return err
			}
			t := table{head: []string{"candidate", "phase", "since", "cause", "why", "mark", "live", "generation"}, short: 6}
			for _, r := range rs {
				t.add(fmt.Sprintf("%s@%d", r.Model, r.Candidate), string(r.Phase), when(r.EnteredAt), r.Cause, r.Reason, dash(r.Mark),
					fmt.Sprintf("v%d", r.Live), fmt.Sprint(r.Generation))
			}
			return e.show(rs, t)
		},
	}
}

// findings makes a command that lists the findings of some kinds, and how the
// live version stands; when one is open the answer is no.
func findings(e *env, use, short string, tell func(*monitoring.Standing) error, kinds ...string) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: use + " [MODEL]", Short: short, Args: cobra.MaximumNArgs(1),
		Example: "  flyball " + use + " hotel-cancel\n  flyball " + use + " hotel-cancel --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			fs, err := e.client().Findings(cmd.Context(), model, !all)
			if err != nil {
				return err
			}
			kept := []monitoring.Finding{}
			open := false
			t := table{head: []string{"since", "until", "kind", "of", "what", "duty", "severity"}, short: 5}
			for _, f := range fs {
				for _, k := range kinds {
					if f.Kind == k {
						kept = append(kept, f)
						open = open || f.Closed.IsZero()
						t.add(when(f.Opened), when(f.Closed), f.Kind, f.Subject, f.Text, f.Duty, f.Severity)
					}
				}
			}
			whole := found{Findings: kept}
			if whole.Standing, err = e.standing(cmd.Context(), model); err == nil {
				err = e.showFound(whole, t, tell)
			}
			if err != nil {
				return err
			}
			if open {
				return errNo
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that are over")
	return c
}

func driftCommand(e *env) *cobra.Command {
	return findings(e, "drift", "Inputs and predictions that are not as at training (exit 3: some)", e.tellDrift, monitoring.Drift)
}

func scoreCommand(e *env) *cobra.Command {
	return findings(e, "score", "Bias and performance on due rows, and without labels (exit 3: worse)", e.tellScore, monitoring.Score)
}
