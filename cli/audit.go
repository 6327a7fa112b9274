// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/audit"
)

func auditCommand(e *env) *cobra.Command {
	c := listAudit(e)
	c.Use, c.Short = "audit", "Who changed what: the audit chain"
	c.Long = "Every change is a record, and each record's hash covers the one before it, so one that is changed or\nremoved is found (docs/audit.md). `flyball audit` is `flyball audit list`."
	c.Example = "  flyball audit --since 30d --object hotel-cancel\n  flyball audit verify\n  flyball audit anchor >> /mnt/elsewhere/anchors.txt\n  flyball audit export --file audit.jsonl"
	var verify bool
	list := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if verify {
			return e.verifyAudit(cmd.Context(), wire.AuditVerify{})
		}
		return list(cmd, args)
	}
	c.Flags().BoolVar(&verify, "verify", false, "recompute the chain: flyball audit verify --predictions=false")
	c.AddCommand(listAudit(e), verifyAudit(e), exportAudit(e), anchorAudit(e))
	return c
}

func listAudit(e *env) *cobra.Command {
	var q audit.Query
	var since string
	c := &cobra.Command{
		Use: "list", Short: "The records, oldest first", Args: cobra.NoArgs,
		Example: "  flyball audit list --since 7d --actor ana\n  flyball audit list --object hotel-cancel -o wide",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = e.moment(cmd.Context(), since); err != nil {
				return err
			}
			all := []audit.Record{}
			for {
				rs, err := e.client().FindAudit(cmd.Context(), q, 1000)
				if err != nil {
					return err
				}
				if all = append(all, rs...); len(rs) < 1000 {
					break
				}
				q.After = rs[len(rs)-1].Seq
			}
			t := table{head: []string{"seq", "at", "who", "did", "to", "why", "hash", "data"}, short: 6}
			for _, r := range all {
				t.add(fmt.Sprint(r.Seq), when(r.At), r.Actor, r.Action, r.Object, r.Why, r.Hash, string(r.Data))
			}
			return e.show(all, t)
		},
	}
	c.Flags().StringVar(&since, "since", "", "at or after this date or time, or in the last so long (7d, 6h)")
	c.Flags().StringVar(&q.Actor, "actor", "", "who did it")
	c.Flags().StringVar(&q.Action, "action", "", "what was done: promote, rollback, hold …")
	c.Flags().StringVar(&q.Object, "object", "", "what it was done to: a model, with its versions, or model@3")
	return c
}

func verifyAudit(e *env) *cobra.Command {
	in := wire.AuditVerify{}
	var anchors string
	c := &cobra.Command{
		Use: "verify", Short: "Recompute the chain, and compare the sealed predictions with it (exit 3: something is wrong)", Args: cobra.NoArgs,
		Long:    "Names the first record that was changed, removed or added, and each sealed file of predictions that was\nchanged, removed or added. --anchors has the chain hold what was kept elsewhere, too: that shows records\nthat were cut off its end.",
		Example: "  flyball audit verify\n  flyball audit verify --anchors /mnt/elsewhere/anchors.txt\n  flyball audit verify --predictions=false",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if anchors != "" {
				f, err := os.Open(anchors)
				if err != nil {
					return fault.Wrap(err, fault.Invalid, "the anchors cannot be read")
				}
				in.Anchors, err = audit.ReadAnchors(f)
				_ = f.Close()
				if err != nil {
					return fmt.Errorf("%s: %w", anchors, err)
				}
			}
			return e.verifyAudit(cmd.Context(), in)
		},
	}
	c.Flags().BoolVar(&in.Predictions, "predictions", true, "compare the sealed files of predictions, too: all of them are read")
	c.Flags().StringVar(&anchors, "anchors", "", "file of anchors, one a line, that the chain must hold")
	return c
}

func (e *env) verifyAudit(ctx context.Context, in wire.AuditVerify) error {
	v, err := e.client().VerifyAll(ctx, in, func(s audit.Step) {
		switch {
		case !e.terminal:
		case s.Total > 0:
			e.say("%s: %d of %d", s.What, s.Done, s.Total)
		default:
			e.say("%s: %d so far", s.What, s.Done)
		}
	})
	if err != nil {
		return err
	}
	t := table{head: []string{"what", "holds", "wrong"}}
	t.add("records", fmt.Sprint(v.Records), "0")
	if in.Anchors != nil {
		t.add("anchors", fmt.Sprint(v.Anchors), fmt.Sprint(len(in.Anchors)-v.Anchors))
	}
	if in.Predictions {
		t.add("sealed files", fmt.Sprint(v.Files), fmt.Sprint(len(v.Wrong)-len(in.Anchors)+v.Anchors))
	}
	if e.format != "table" && e.format != "wide" {
		if err := e.show(v, t); err != nil {
			return err
		}
	} else {
		e.tellVerified(v, in)
	}
	if len(v.Wrong) > 0 {
		return errNo
	}
	return nil
}

// tellVerified says what holds and what does not in words.
func (e *env) tellVerified(v audit.Verified, in wire.AuditVerify) {
	for _, w := range v.Wrong {
		fmt.Fprintln(e.out, tidy([]string{"WRONG: " + w}))
	}
	if v.Anchors == len(in.Anchors) {
		fmt.Fprintf(e.out, "the chain holds: %d records\n", v.Records)
	}
	if in.Anchors != nil {
		fmt.Fprintf(e.out, "%d of %d anchors hold\n", v.Anchors, len(in.Anchors))
	}
	if in.Predictions {
		fmt.Fprintf(e.out, "%d sealed files of predictions hold: %s\n", v.Files, size(v.Bytes))
	}
	if v.Waiting > 0 {
		e.say("%d sealed files are not in the chain yet: the next seal enters them, or the server's log says why not", v.Waiting)
	}
	if len(v.Wrong) > 0 {
		e.say("compare with a backup: somebody was at work past Flyball")
	}
}

func anchorAudit(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "anchor", Short: "Where the chain ends now: a line to keep where nobody can change it", Args: cobra.NoArgs,
		Long:    "The server writes such a line to anchors.txt in its data folder each day and when it stops. Kept elsewhere\n(in git, in a mail, on paper) it shows with `flyball audit verify --anchors` that no record before it was\nchanged, and none cut off.",
		Example: "  flyball audit anchor\n  flyball audit anchor >> /mnt/elsewhere/anchors.txt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := e.client().AuditAnchor(cmd.Context())
			if err != nil {
				return err
			}
			if e.format == "table" || e.format == "wide" {
				_, err = fmt.Fprintln(e.out, a)
				return err
			}
			t := table{head: []string{"at", "seq", "hash"}}
			t.add(a.At.Format(time.RFC3339), fmt.Sprint(a.Seq), a.Hash)
			return e.show(a, t)
		},
	}
}

func exportAudit(e *env) *cobra.Command {
	var from, to, file string
	c := &cobra.Command{
		Use: "export", Short: "Write the records, so that they can be verified without Flyball", Args: cobra.NoArgs,
		Long:    "Writes one record a line, as docs/formats/audit.md has it, with the ten lines that verify them. --from and\n--to give all records between the first and the last of that time. -o csv is a table of the same.",
		Example: "  flyball audit export --file audit.jsonl\n  flyball audit export --from 2026-01-01 --to 2027-01-01 -o csv > audit-2026.csv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			format := e.format
			if !cmd.Flags().Changed("output") {
				format = "jsonl"
			}
			if format != "jsonl" && format != "csv" {
				return fmt.Errorf("invalid argument %q for -o: jsonl or csv", format)
			}
			first, err := e.moment(cmd.Context(), from)
			if err != nil {
				return err
			}
			last, err := e.moment(cmd.Context(), to)
			if err != nil {
				return err
			}
			if file == "" || file == "-" {
				return e.exportAudit(cmd.Context(), e.out, format, first, last)
			}
			return e.whole(file, func(w io.Writer) error { return e.exportAudit(cmd.Context(), w, format, first, last) })
		},
	}
	c.Flags().StringVar(&from, "from", "", "the first record at or after this date or time, or since so long (30d)")
	c.Flags().StringVar(&to, "to", "", "the last record before this date or time")
	c.Flags().StringVar(&file, "file", "", "where to (default standard output)")
	return c
}

func (e *env) exportAudit(ctx context.Context, w io.Writer, format string, from, to time.Time) error {
	rows := csv.NewWriter(w)
	if format == "csv" {
		_ = rows.Write([]string{"seq", "at", "actor", "action", "object", "why", "data", "prev", "hash"}) // Error has it
	}
	n, end := 0, audit.End{}
	err := e.client().ExportAudit(ctx, from, to, func(line []byte, r audit.Record) error {
		n, end = n+1, audit.End{Seq: r.Seq, Hash: r.Hash}
		if format == "csv" {
			return rows.Write([]string{fmt.Sprint(r.Seq), r.At.Format(time.RFC3339Nano), r.Actor, r.Action, r.Object, r.Why, string(r.Data), r.Prev, r.Hash})
		}
		_, err := w.Write(append(line, '\n'))
		return err
	})
	rows.Flush()
	if err = errors.Join(err, rows.Error()); err != nil {
		return err
	}
	e.say("%d records; the last is %d, %s", n, end.Seq, end.Hash)
	return nil
}

// whole writes a file that is not there yet: all of it, or nothing.
func (e *env) whole(name string, write func(io.Writer) error) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, "%s is there already", name).Do("choose another name, or remove it")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
	}
	err = write(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
