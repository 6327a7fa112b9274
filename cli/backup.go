// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/app"
	"flyball/backup"
	"flyball/fault"
)

// placeFlags are the flags that say where a server keeps everything.
func placeFlags(c *cobra.Command, p *app.Place, data string) {
	c.Flags().StringVar(&p.Data, "data", "", data)
	c.Flags().StringVar(&p.Database, "database", os.Getenv("FLYBALL_DATABASE"), "the PostgreSQL database, where the records are not in the data folder (FLYBALL_DATABASE)")
	c.Flags().StringVar(&p.Bucket, "bucket", os.Getenv("FLYBALL_BUCKET"), "the bucket, where blobs are not in the data folder (FLYBALL_BUCKET)")
	c.Flag("database").DefValue, c.Flag("bucket").DefValue = "", "" // help shows no password
}

func backupCommand(e *env) *cobra.Command {
	var p app.Place
	c := &cobra.Command{
		Use: "backup FILE | FOLDER/", Short: "Write everything that the server keeps into one file, while it goes on", Args: cobra.ExactArgs(1),
		Long: "Writes records, bytes and predictions of one moment as one tar file, or below a folder (a name that ends\nin /). docs/backup.md tells what is in it and what is not. Without --data the server writes it, and goes on\nserving; with --data it is read from the folder of a server that is stopped. What is restored from it may\nlie in SQLite or in PostgreSQL, whatever it came from.\n" +
			"Exit 3: the backup is whole, and has bytes that were missing or damaged before.",
		Example: "  flyball backup flyball-2026-11-30.tar\n  flyball backup /mnt/backup/monday/\n  flyball backup before.tar --data /var/lib/flyball",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := e.backup(cmd.Context(), args[0], p)
			if err != nil {
				return err
			}
			if err := e.show(m, backedUp(m)); err != nil {
				return err
			}
			return e.tellLost(m)
		},
	}
	placeFlags(c, &p, "read this data folder, which no server has open, instead of asking the server")
	return c
}

// tellLost says which bytes of a backup were not there, or not as they were written.
func (e *env) tellLost(m backup.Manifest) error {
	for _, d := range m.Blobs.Missing {
		e.say("blob %s is missing: a run or version names it as its file", d)
	}
	for _, d := range m.Blobs.Damaged {
		e.say("blob %s is damaged: its bytes are not those of the digest", d)
	}
	if len(m.Blobs.Missing)+len(m.Blobs.Damaged) > 0 {
		return errNo
	}
	return nil
}

func backedUp(m backup.Manifest) table {
	t := table{head: []string{"what", "number", "bytes"}}
	t.add("rows of records", fmt.Sprint(m.Rows()), "")
	t.add("blobs", fmt.Sprint(m.Blobs.Number), size(m.Blobs.Bytes))
	t.add("files of predictions", fmt.Sprint(m.Sealed.Number), size(m.Sealed.Bytes))
	t.add("audit records", fmt.Sprint(m.Audit.Seq), "")
	t.add("schema", fmt.Sprint(m.Schema), "")
	return t
}

// backup writes a backup to a new file, or a new folder where the name ends in a slash or
// an empty folder has it: whole, or not at all.
func (e *env) backup(ctx context.Context, to string, p app.Place) (m backup.Manifest, err error) {
	folder := strings.HasSuffix(to, "/")
	to = filepath.Clean(to)
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		folder = true
		if os.Remove(to) != nil { // only an empty one goes
			return m, fault.New(fault.Conflict, "%s is not empty", to).Do("choose another name")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return m, fault.New(fault.Conflict, "%s is there already", to).Do("choose another name, or remove it")
	}
	in, err := e.backupStream(ctx, p)
	if err != nil {
		return m, err
	}
	part := to + ".part"
	var wrong []string
	if folder {
		if err = os.Mkdir(part, 0o700); err == nil {
			m, wrong, err = backup.Unpack(ctx, part, in, e.backupSteps())
		}
	} else {
		m, wrong, err = e.saveBackup(ctx, part, in)
	}
	err = errors.Join(err, in.Close())
	if err == nil && len(wrong) > 0 {
		err = fault.New(fault.Unavailable, "the backup was damaged on its way: %s", strings.Join(wrong, "; ")).Do("make another")
	}
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return m, errors.Join(err, os.RemoveAll(part))
	}
	return m, err
}

func (e *env) saveBackup(ctx context.Context, part string, in io.Reader) (backup.Manifest, []string, error) {
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return backup.Manifest{}, nil, fault.Wrap(err, fault.Unavailable, "%s cannot be written", part)
	}
	m, wrong, err := backup.Save(ctx, out, in, e.backupSteps())
	return m, wrong, errors.Join(err, out.Sync(), out.Close())
}

// backupStream is the server's answer or, where a data folder is named, what is read from
// it. An error of the reading is one of the stream.
func (e *env) backupStream(ctx context.Context, p app.Place) (io.ReadCloser, error) {
	if p.Data == "" {
		return e.client().Backup(ctx)
	}
	ctx, stop := context.WithCancel(ctx)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := app.BackupOf(ctx, p, version(), w, nil)
		_ = w.CloseWithError(err) // never fails
	}()
	return &reading{PipeReader: r, stop: func() { stop(); <-done }}, nil
}

// reading is a stream whose writer has ended when it is closed.
type reading struct {
	*io.PipeReader
	stop func()
}

func (r *reading) Close() error {
	err := r.PipeReader.Close()
	r.stop()
	return err
}

// backupSteps tells on a terminal how far it is.
func (e *env) backupSteps() func(backup.Step) {
	if !e.terminal {
		return nil
	}
	return backup.Paced(func(s backup.Step) {
		if s.Total > 0 {
			e.say("%s: %d of %d", s.What, s.Done, s.Total)
		} else {
			e.say("%s: %d so far", s.What, s.Done)
		}
	})
}

func restoreCommand(e *env) *cobra.Command {
	var p app.Place
	var check bool
	var scratch string
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup into an empty place, or rehearse that", Args: cobra.ExactArgs(1),
		Long: "--check restores into a scratch folder, opens everything as a server would, verifies the audit chain, the\nsealed predictions, every byte that records refer to and the golden rows of each live version, says how\nlong it took, and removes it (exit 3: something does not hold).\n" +
			"Else it restores into --data, which must be empty, and with FLYBALL_DATABASE into a PostgreSQL database\nwithout tables. That is also the way from SQLite to PostgreSQL, and back.",
		Example: "  flyball restore flyball-2026-11-30.tar --check\n  flyball restore flyball-2026-11-30.tar --data /var/lib/flyball\n  FLYBALL_DATABASE='host=db dbname=flyball' flyball restore backup.tar --data /var/lib/flyball --bucket s3://flyball",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case check && p.Data != "":
				return fault.New(fault.Invalid, "--check restores nothing into a data folder").Do("leave out --check or --data")
			case check:
				if !cmd.Flags().Changed("database") {
					p.Database = "" // of the server, and not for a rehearsal
				}
				r, err := app.Rehearse(cmd.Context(), args[0], scratch, p.Database, e.backupSteps())
				if err != nil {
					return err
				}
				return e.tellRehearsal(r)
			case p.Data == "":
				return fault.New(fault.Invalid, "where to?").Do("name a new data folder with --data, or rehearse with --check")
			}
			begun := time.Now()
			got, err := app.Restore(cmd.Context(), args[0], p, true, e.backupSteps())
			if err != nil {
				return err
			}
			m := got.Manifest
			if err := e.show(m, backedUp(m)); err != nil {
				return err
			}
			e.say("restored in %s as of %s; flyball serve --data %s goes on from there", time.Since(begun).Round(time.Millisecond), when(m.MadeAt), p.Data)
			return e.tellLost(m)
		},
	}
	placeFlags(c, &p, "the new data folder")
	c.Flags().BoolVar(&check, "check", false, "rehearse: restore, look at everything, remove it")
	c.Flags().StringVar(&scratch, "scratch", "", "where --check works; it needs as much space as all that is in the backup (default the folder of temporary files)")
	return c
}

// tellRehearsal shows what was found; the answer is no where something does not hold.
func (e *env) tellRehearsal(r app.Rehearsal) error {
	t := table{head: []string{"what", "state", "detail"}}
	for _, f := range r.Findings {
		state := "ok"
		if !f.OK {
			state = "WRONG"
		}
		t.add(f.What, state, f.Detail)
	}
	if err := e.show(r, t); err != nil {
		return err
	}
	if r.Took > 0 {
		e.say("a restore takes %s here; nothing was changed", r.Took.Round(time.Millisecond))
	}
	if !r.Good() {
		return errNo
	}
	return nil
}
