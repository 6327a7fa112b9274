// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/job"
	"flyball/training"
)

// change asks the server for a change by hand, and, with a wait, for what came of
// the training it began.
func (e *env) change(ctx context.Context, model, what, why string, wait time.Duration) error {
	got, err := e.client().Change(ctx, model, what, why)
	if err != nil {
		return err
	}
	if wait == 0 || got.Job == "" {
		_, err = fmt.Fprintln(e.out, got.Text)
		return err
	}
	e.say("%s", got.Text)
	j, ended, err := e.waitJob(ctx, got.Job, wait)
	switch {
	case err != nil:
		return err
	case !ended:
		e.say("still going: flyball status %s", model)
		return errGoing
	case j.State == job.Failed:
		return fault.New(fault.Invalid, "the training failed: %s", j.Error)
	}
	var res training.Result
	if err := json.Unmarshal(j.Result, &res); err != nil {
		return fault.Wrap(err, fault.Internal, "the result of the training cannot be read")
	}
	if err := e.showVerdict(res.Verdict); err != nil {
		return err
	}
	if !res.Verdict.Pass {
		return errNo
	}
	return nil
}

// changing makes a command that asks for one change.
func changing(e *env, what, short string, example string) *cobra.Command {
	var why string
	var wait time.Duration
	c := &cobra.Command{
		Use: what + " MODEL", Short: short, Args: cobra.ExactArgs(1), Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.change(cmd.Context(), args[0], what, why, wait)
		},
	}
	c.Flags().StringVar(&why, "why", "", "the reason, for the record")
	if what == "retrain" {
		c.Flags().DurationVar(&wait, "wait", 0, "wait for the verdict this long")
	}
	return c
}

func promoteCommand(e *env) *cobra.Command {
	var why string
	var dry bool
	c := &cobra.Command{
		Use: "promote MODEL[@VERSION]", Short: "Move a release on without waiting, or begin that of a version that passed", Args: cobra.ExactArgs(1),
		Long:    "Moves a release that is under way on without waiting, or begins the release of a version that passed the gate. Before that it says what the\nplan of the release can find out about the version, and how fast; --dry-run says that and changes nothing (exit 3: it cannot be released).",
		Example: "  flyball promote hotel-cancel --why \"looks right\"\n  flyball promote hotel-cancel@8 --dry-run\n  flyball promote hotel-cancel@8 --why \"the team's own model\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.Contains(args[0], "@") {
				if dry {
					return fault.New(fault.Invalid, "--dry-run is about a version").Do("name it, as in %s@8", args[0])
				}
				return e.change(cmd.Context(), args[0], "promote", why, 0)
			}
			v, err := e.version(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			ahead, err := e.client().Foresee(cmd.Context(), v.Model, v.Version)
			if err != nil {
				return err
			}
			if dry {
				return e.showAhead(ahead)
			}
			for _, text := range ahead.Text {
				e.say("%s", text)
			}
			got, err := e.client().Release(cmd.Context(), v.Model, v.Version, why)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(e.out, got.Text)
			return err
		},
	}
	c.Flags().StringVar(&why, "why", "", "the reason, for the record")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what the release could find out, and change nothing")
	return c
}

// showAhead shows what a release would be; the answer is no where it is refused.
func (e *env) showAhead(a wire.Foreseen) error {
	t := table{head: []string{"what the plan can find out"}, short: 1}
	for _, text := range a.Text {
		t.add(text)
	}
	if err := e.show(a, t); err != nil {
		return err
	}
	if a.Refused != "" {
		e.say("it cannot be released now: %s", a.Refused)
		return errNo
	}
	return nil
}

func rollbackCommand(e *env) *cobra.Command {
	c := changing(e, "rollback", "Take the newest version back at once", "  flyball rollback hotel-cancel --why \"complaints from the desk\"\n  flyball rollback hotel-cancel --drill")
	c.Long = "Takes the newest version back at once, and needs nobody's leave. --drill moves nothing: the version before it is loaded and warmed, has to\n" +
		"answer recorded rows to the last bit as it did, and what came of it is kept (exit 3: the way back does not hold)."
	back := c.RunE
	var drill bool
	c.Flags().BoolVar(&drill, "drill", false, "prove that it would work, and move nothing")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if !drill {
			return back(cmd, args)
		}
		return e.drill(cmd.Context(), args[0])
	}
	return c
}

// drill shows what came of trying the way back; the answer is no where it does not hold.
func (e *env) drill(ctx context.Context, model string) error {
	d, err := e.client().Drill(ctx, model)
	if err != nil {
		return err
	}
	t := table{head: []string{"model", "from", "back to", "rows", "took", "holds"}}
	t.add(d.Model, fmt.Sprintf("v%d", d.From), fmt.Sprintf("v%d", d.Back), fmt.Sprint(d.Rows), fmt.Sprintf("%.2f s", d.Took), map[bool]string{true: "yes", false: "no"}[d.Holds()])
	if err := e.show(d, t); err != nil {
		return err
	}
	e.say("%s", d.Text())
	if !d.Holds() {
		return errNo
	}
	return nil
}

func retrainCommand(e *env) *cobra.Command {
	return changing(e, "retrain", "Train now, whatever the loop holds", "  flyball retrain hotel-cancel --why \"new season\" --wait 10m")
}

func holdCommand(e *env) *cobra.Command {
	return changing(e, "hold", "Retrain no more by itself", "  flyball hold hotel-cancel --why \"the lake is being moved\"")
}

func resumeCommand(e *env) *cobra.Command {
	return changing(e, "resume", "Retrain by itself again", "  flyball resume hotel-cancel")
}
