// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
)

func incidentsCommand(e *env) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "incidents [MODEL]", Short: "What went wrong, and what was learnt from it", Args: cobra.MaximumNArgs(1),
		Long: "What went wrong, until somebody has said why and what was changed because of it: versions that were taken back after they had\n" +
			"answered, alerts that nobody took, broken glass, and what people open by hand. Exit code 3: something is open.",
		Example: "  flyball incidents\n  flyball incidents hotel-cancel --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			model := ""
			if len(args) == 1 {
				model = args[0]
			}
			got, err := e.client().Incidents(cmd.Context(), model, !all)
			if err != nil {
				return err
			}
			open := false
			t := table{head: []string{"id", "model", "kind", "opened", "taken by", "closed", "what", "cause", "change"}, short: 7}
			for _, i := range got {
				open = open || i.Resolved.IsZero()
				t.add(i.ID, i.Model, string(i.Kind), when(i.Opened), dash(i.Owner), sometime(i.Resolved), i.Text, dash(i.Cause), dash(i.Change))
			}
			if err := e.show(got, t); err != nil {
				return err
			}
			if open {
				return errNo
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that are closed")
	c.AddCommand(incidentOpenCommand(e), incidentCloseCommand(e))
	return c
}

// sometime is a moment; a dash where there was none.
func sometime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return when(t)
}

func incidentOpenCommand(e *env) *cobra.Command {
	var why string
	c := &cobra.Command{
		Use: "open MODEL", Short: "Open an incident by hand", Args: cobra.ExactArgs(1),
		Example: "  flyball incidents open hotel-cancel --why \"the desk was told yes for every booking\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := e.client().OpenIncident(cmd.Context(), args[0], why)
			if err == nil {
				_, err = fmt.Fprintf(e.out, "incident %s of %s is open\n", i.ID, i.Model)
			}
			return err
		},
	}
	c.Flags().StringVar(&why, "why", "", "what went wrong, in a sentence")
	_ = c.MarkFlagRequired("why") // it is a flag of this command
	return c
}

func incidentCloseCommand(e *env) *cobra.Command {
	var l wire.Learnt
	c := &cobra.Command{
		Use: "close MODEL", Short: "Close an incident with its cause and what was changed because of it", Args: cobra.ExactArgs(1),
		Example: "  flyball incidents close hotel-cancel --cause \"a join lost rows\" --change 9\n  flyball incidents close hotel-cancel --id 3f2a90b1c4 --cause \"no check of the age\" --change 1f0c2ab",
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := e.client().CloseIncident(cmd.Context(), args[0], l)
			if err == nil {
				_, err = fmt.Fprintf(e.out, "incident %s of %s is closed; changed: %s\n", i.ID, i.Model, i.Change)
			}
			return err
		},
	}
	c.Flags().StringVar(&l.ID, "id", "", "which, where several are open")
	c.Flags().StringVar(&l.Cause, "cause", "", "why it went wrong")
	c.Flags().StringVar(&l.Change, "change", "", "what was changed because of it: a version, or a commit")
	for _, name := range []string{"cause", "change"} {
		_ = c.MarkFlagRequired(name) // they are flags of this command
	}
	return c
}

func breakGlassCommand(e *env) *cobra.Command {
	var b wire.Break
	c := &cobra.Command{
		Use: "break-glass MODEL", Short: "Need nobody's leave for two hours, on record for ever", Args: cobra.ExactArgs(1),
		Long: "For two hours you may release versions of the model, and override alone where others' leave is missing. It opens an incident,\n" +
			"tells the owner, the backup and who answers for the model, and marks every release that you move for ever. Harm takes a version\n" +
			"back all the same. It ends by itself, or with --end; the incident is closed with flyball incidents close.",
		Example: "  flyball break-glass hotel-cancel --why \"v7 refuses every booking, and nobody answers\"\n  flyball break-glass hotel-cancel --end",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().BreakGlass(cmd.Context(), args[0], b)
			if err == nil {
				_, err = fmt.Fprintln(e.out, got.Text)
			}
			return err
		},
	}
	c.Flags().StringVar(&b.Why, "why", "", "the reason, for the record")
	c.Flags().BoolVar(&b.End, "end", false, "end it")
	return c
}
