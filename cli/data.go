// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func dataCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "data", Short: "Snapshots of a model's data: what was trained on, and how it changes", Args: cobra.NoArgs,
		Long: "Each training keeps the rows that it saw as a snapshot. A snapshot is named by its digest, of which\n" +
			"the first 8 characters are enough; where none is named, the newest is meant.",
		Example: "  flyball data list hotel-cancel\n  flyball data diff hotel-cancel 3fa94c02\n  flyball data suggest hotel-cancel",
	}
	c.AddCommand(&cobra.Command{
		Use: "list MODEL", Short: "The snapshots, and the versions that were made from each", Args: cobra.ExactArgs(1),
		Example: "  flyball data list hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().Snapshots(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t := table{head: []string{"snapshot", "made", "rows", "size", "cause", "versions"}}
			for _, s := range got {
				var v []string
				for _, n := range s.Versions {
					v = append(v, "v"+strconv.Itoa(n))
				}
				t.add(string(s.ID[:12]), when(s.At), strconv.Itoa(s.Rows), size(s.Bytes), s.Cause, dash(strings.Join(v, ", ")))
			}
			return e.show(got, t)
		},
	}, showDataCommand(e), diffDataCommand(e), checkDataCommand(e), exportDataCommand(e), &cobra.Command{
		Use: "suggest MODEL [SNAPSHOT]", Short: "Checks for the model file, learned from a snapshot", Args: cobra.RangeArgs(1, 2),
		Long:    "Writes a checks: section for the data: section of the model file. Read it before you use it:\ndata that was wrong teaches wrong checks.",
		Example: "  flyball data suggest hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().SuggestChecks(cmd.Context(), args[0], snapshotOf(args, 1))
			if err != nil {
				return err
			}
			_, err = io.WriteString(e.out, got)
			return err
		},
	})
	return c
}

// snapshotOf is the snapshot that an argument names; empty: the newest.
func snapshotOf(args []string, at int) string {
	if at < len(args) {
		return args[at]
	}
	return ""
}

func showDataCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "show MODEL [SNAPSHOT]", Short: "Columns and their values", Args: cobra.RangeArgs(1, 2),
		Example: "  flyball data show hotel-cancel\n  flyball data show hotel-cancel 3fa94c02 -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := e.client().Snapshot(cmd.Context(), args[0], snapshotOf(args, 1))
			if err != nil {
				return err
			}
			e.say("%s: %d rows, %d with a label, %s in files: %d", s.ID[:min(12, len(s.ID))], s.Count, s.Labelled, size(s.Bytes), len(s.Files))
			t := table{head: []string{"column", "kind", "missing", "distinct", "from", "median", "to"}}
			for i, c := range s.Columns {
				kind, from, middle, to := "", "", "", ""
				if i < len(s.Schema) {
					kind = s.Schema[i].Kind.String()
				}
				switch {
				case !c.To.IsZero():
					from, to = when(c.From), when(c.To)
				case len(c.Quantiles) > 0:
					from, middle, to = number(c.Min), number(c.Quantiles[len(c.Quantiles)/2]), number(c.Max)
				case len(c.Top) > 0:
					middle = c.Top[0].Value
				}
				t.add(c.Name, kind, strconv.Itoa(c.Missing), strconv.Itoa(c.Distinct), dash(from), dash(middle), dash(to))
			}
			return e.show(s, t)
		},
	}
}

func diffDataCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "diff MODEL SNAPSHOT [SNAPSHOT]", Short: "What a later snapshot has that an earlier had not (exit 3: something)", Args: cobra.RangeArgs(2, 3),
		Long:    "Compares columns, rows, and how values are distributed, in words. Without a second snapshot, with the newest.",
		Example: "  flyball data diff hotel-cancel 3fa94c02\n  flyball data diff hotel-cancel 3fa94c02 91be77d0",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().DiffSnapshots(cmd.Context(), args[0], args[1], snapshotOf(args, 2))
			if err != nil {
				return err
			}
			t := table{head: []string{"what", "column", "change"}}
			for _, c := range got {
				t.add(c.Kind, dash(c.Column), c.Text)
			}
			if len(got) == 0 {
				e.say("no difference")
				return nil
			}
			return cmp.Or(e.show(got, t), errNo)
		},
	}
}

func checkDataCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "check MODEL [SNAPSHOT]", Short: "The checks that a snapshot does not pass (exit 3: one that stops)", Args: cobra.RangeArgs(1, 2),
		Example: "  flyball data check hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().CheckSnapshot(cmd.Context(), args[0], snapshotOf(args, 1))
			if err != nil {
				return err
			}
			t := table{head: []string{"severity", "check", "what"}}
			var stops error
			for _, p := range got {
				if t.add(p.Severity, p.Check, p.Text); p.Severity == "stop" {
					stops = errNo
				}
			}
			if len(got) == 0 {
				e.say("all checks hold")
				return nil
			}
			return cmp.Or(e.show(got, t), stops)
		},
	}
}

func exportDataCommand(e *env) *cobra.Command {
	out := ""
	c := &cobra.Command{
		Use: "export MODEL [SNAPSHOT] --out FILE", Short: "The rows as a Parquet file", Args: cobra.RangeArgs(1, 2),
		Example: "  flyball data export hotel-cancel --out rows.parquet",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			part := out + ".part"
			f, err := os.Create(part)
			if err != nil {
				return fmt.Errorf("write %s: %w", out, err)
			}
			err = e.client().ExportSnapshot(cmd.Context(), args[0], snapshotOf(args, 1), f)
			if err = errors.Join(err, f.Close()); err != nil {
				return errors.Join(err, os.Remove(part))
			}
			return os.Rename(part, out)
		},
	}
	c.Flags().StringVar(&out, "out", "", "the file to write")
	_ = c.MarkFlagRequired("out")
	return c
}
