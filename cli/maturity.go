// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/governance/maturity"
	"flyball/unit"
)

func maturityCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "maturity [MODEL]", Short: "How far the work on the models has come, by what was recorded", Args: cobra.MaximumNArgs(1),
		Long: "How far the work on the models has come, on four levels: what is missing for the next one,\n" +
			"what cannot be told, and what to do. All 37 checks with their evidence: -o wide, json or csv.",
		Example: "  flyball maturity\n  flyball maturity hotel-cancel\n  flyball maturity hotel-cancel -o wide",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return e.maturities(cmd.Context())
			}
			s, err := e.client().Maturity(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.showMaturity(s)
		},
	}
}

func (e *env) maturities(ctx context.Context) error {
	o, err := e.client().Maturities(ctx)
	if err != nil {
		return err
	}
	t := table{head: []string{"model", "level", "level 1", "level 2", "level 3", "level 4"}}
	for _, m := range o.Models {
		row := []string{m.Model, fmt.Sprint(m.Level)}
		for _, p := range m.Levels {
			row = append(row, fmt.Sprintf("%d of %d", p.Hold, p.Of))
		}
		t.add(row...)
	}
	if err := e.show(o, t); err != nil {
		return err
	}
	if e.format == "table" || e.format == "wide" {
		if len(o.Models) == 0 {
			e.say("there is no model; apply one with flyball apply")
			return nil
		}
		fmt.Fprintf(e.out, "\nall: level %d at least, half of them level %d or above\n", o.Minimum, o.Median)
	}
	return nil
}

// verdictWords are how what does not hold is told.
var verdictWords = map[maturity.Verdict]string{maturity.NotMet: "missing", maturity.NoEvidence: "unknown"}

func (e *env) showMaturity(s wire.Maturity) error {
	if e.format != "table" {
		t := table{head: []string{"check", "verdict", "why", "evidence", "until", "next", "rule"}}
		for _, r := range s.Results {
			until, next := "-", r.Next
			if r.Until != nil {
				until = when(*r.Until)
			}
			if r.Verdict.Holds() {
				next = "-"
			}
			t.add(r.ID, string(r.Verdict), r.Text, dash(strings.Join(r.Evidence, ", ")), until, next, r.Rule)
		}
		return e.show(s, t)
	}
	next, more := s.Next()
	if !more {
		fmt.Fprintf(e.out, "model %s: level %d of %d\n", s.Model, s.Level, maturity.Levels)
		return nil
	}
	fmt.Fprintf(e.out, "model %s: level %d of %d (%d of %d checks of level %d)\n", s.Model, s.Level, maturity.Levels, next.Hold, next.Of, next.Level)
	w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
	for _, r := range s.Results {
		if r.Level <= next.Level && !r.Verdict.Holds() {
			fmt.Fprintln(w, tidy([]string{"  " + verdictWords[r.Verdict], r.ID, r.Text, "→ " + r.Next}))
		}
	}
	return w.Flush()
}

func deliveryCommand(e *env) *cobra.Command {
	var window string
	c := &cobra.Command{
		Use: "delivery [MODEL]", Short: "How fast changes of models arrive, and how often they fail", Args: cobra.MaximumNArgs(1),
		Example: "  flyball delivery\n  flyball delivery hotel-cancel\n  flyball delivery hotel-cancel --window 1y -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f, err := e.client().Delivery(cmd.Context(), args[0], window)
				if err != nil {
					return err
				}
				return e.showDelivery(f)
			}
			all, err := e.client().Deliveries(cmd.Context(), window)
			if err != nil {
				return err
			}
			t := table{head: []string{"model", "lead (median)", "lead (p90)", "per week", "failed", "caught", "restore", "rework", "reliable"}}
			for _, f := range all {
				t.add(f.Model, lasted(f.Lead, f.Lead.Median), lasted(f.Lead, f.Lead.P90), number(f.PerWeek), failed(f), fmt.Sprint(f.CaughtGate+f.CaughtRelease),
					lasted(f.Restore, f.Restore.Median), part(f.Rework), part(f.Reliability))
			}
			return e.show(all, t)
		},
	}
	c.Flags().StringVar(&window, "window", "90d", "how far back to count")
	return c
}

// lasted is a duration of a stage; a dash where nothing went through it.
func lasted(s maturity.Stage, d unit.Duration) string {
	if s.Count == 0 {
		return "-"
	}
	return roughly(d)
}

// roughly is a duration in one unit.
func roughly(d unit.Duration) string {
	switch t := d.D(); {
	case t.Hours() >= 48:
		return fmt.Sprintf("%.1f d", t.Hours()/24)
	case t.Hours() >= 1:
		return fmt.Sprintf("%.1f h", t.Hours())
	case t.Minutes() >= 1:
		return fmt.Sprintf("%.0f min", t.Minutes())
	default:
		return fmt.Sprintf("%.0f s", t.Seconds())
	}
}

func part(x *float64) string {
	if x == nil {
		return "-"
	}
	return percentOf(*x)
}

func failed(f wire.Delivery) string {
	if f.FailureRate == nil {
		return "-"
	}
	return fmt.Sprintf("%d of %d", f.Failed, f.Answered)
}

func (e *env) showDelivery(f wire.Delivery) error {
	t := table{head: []string{"figure", "median", "p90", "of"}}
	stage := func(name string, s maturity.Stage) {
		t.add(name, lasted(s, s.Median), lasted(s, s.P90), fmt.Sprint(s.Count))
	}
	stage("lead time", f.Lead)
	for _, s := range f.Stages {
		stage("  "+s.Name, s)
	}
	stage("time to restore", f.Restore)
	stage("  detection", f.Detection)
	stage("  action", f.Action)
	if e.format == "table" || e.format == "wide" {
		fmt.Fprintf(e.out, "model %s, %s to %s\n", f.Model, f.From.UTC().Format("2 Jan 2006"), f.To.UTC().Format("2 Jan 2006"))
	}
	if err := e.show(f, t); err != nil || e.format != "table" && e.format != "wide" {
		return err
	}
	fmt.Fprintf(e.out, "\n%d deployments, %s a week (%d retrained, %d changed); in the median week on %d days\n", f.Deployments, number(f.PerWeek), f.Retrained, f.Changed, f.DaysPerWeek)
	fmt.Fprintf(e.out, "changes that failed: %s; caught before they answered: %d by the gate, %d by the release\n", failed(f), f.CaughtGate, f.CaughtRelease)
	fmt.Fprintf(e.out, "begun because of a finding or an incident: %s; hours in which nothing spoke against the live version: %s\n", part(f.Rework), part(f.Reliability))
	return nil
}

func attestCommand(e *env) *cobra.Command {
	var a wire.Attest
	var until string
	c := &cobra.Command{
		Use: "attest CHECK", Short: "Say that a check of maturity holds, though the work is done elsewhere", Args: cobra.ExactArgs(1),
		Long:    "Say, in your name, that a check of maturity holds though the work is done elsewhere.\nOnly checks that records need not decide alone can be attested, for at most 180 days.",
		Example: "  flyball attest L1.app-tests --why \"they run in the shop's own CI\"\n  flyball attest L2.compute-managed --model hotel-cancel --why 'trained on the cluster' --for 90d",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := unit.ParseDuration(until)
			if err != nil {
				return err
			}
			a.Check, a.For = args[0], d
			got, err := e.client().Attest(cmd.Context(), a)
			if err != nil {
				return err
			}
			t := table{head: []string{"check", "model", "by", "until", "why"}}
			t.add(got.Check, dash(got.Model), got.By, when(got.Until), got.Why)
			return e.show(got, t)
		},
	}
	c.Flags().StringVar(&a.Why, "why", "", "how you know")
	c.Flags().StringVar(&until, "for", "180d", "how long it is good")
	c.Flags().StringVarP(&a.Model, "model", "m", "", "of this model; else of all")
	_ = c.MarkFlagRequired("why") // it is a flag of this command
	return c
}

func testCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "test", Short: "Tests that run elsewhere", Args: cobra.NoArgs,
		Example: "  flyball test report unit --target app --status pass",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var r wire.ReportTest
	report := &cobra.Command{
		Use: "report SUITE", Short: "Tell what a suite of tests, a build or a deployment came to", Args: cobra.ExactArgs(1),
		Long: "Tell what a suite of tests, a build or a deployment came to that ran elsewhere, such as in CI.\n" +
			"It counts for flyball maturity where a program tells it: ask with the token of a user of role ci.",
		Example: "  flyball test report unit --target app --status pass\n  flyball test report integration --target scoring --status pass --model hotel-cancel --version 7\n  flyball test report deploy --target app --status pass",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Suite = args[0]
			got, err := e.client().ReportTest(cmd.Context(), r)
			if err != nil {
				return err
			}
			if !got.Program && (e.format == "table" || e.format == "wide") {
				e.say("%s is no program, so most checks do not count this", got.By)
			}
			t := table{head: []string{"suite", "target", "status", "model", "version", "by"}}
			t.add(got.Suite, got.Target, got.Status, dash(got.Model), fmt.Sprint(got.Version), got.By)
			return e.show(got, t)
		},
	}
	report.Flags().StringVar(&r.Target, "target", "app", "app, pipeline or scoring")
	report.Flags().StringVar(&r.Status, "status", "", "pass or fail")
	report.Flags().StringVarP(&r.Model, "model", "m", "", "of this model; else of all")
	report.Flags().IntVar(&r.Version, "version", 0, "that it ran on")
	report.Flags().StringVar(&r.Link, "link", "", "where its log lies")
	_ = report.MarkFlagRequired("status") // it is a flag of this command
	c.AddCommand(report)
	return c
}
