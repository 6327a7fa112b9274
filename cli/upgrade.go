// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"flyball/app"
	"flyball/fault"
)

func upgradeCommand(e *env) *cobra.Command {
	var p app.Place
	var check bool
	var back, keep, scratch string
	c := &cobra.Command{
		Use: "upgrade", Short: "Bring what a server keeps to this version, with a rehearsal before and a way back", Args: cobra.NoArgs,
		Long: "--check rehearses on a copy: of the running server or, with --data, of a folder; nothing is changed.\n" +
			"Without it, of a server that is stopped: a backup is written beside the data folder and rehearsed; then the\nrecords are brought to this version and examined. Where something does not hold, the backup is put back.\n" +
			"--back FILE puts such a backup back, as the version before needs it. It says what was written since, which is\nset aside and not removed.",
		Example: "  flyball upgrade --check\n  flyball upgrade --data /var/lib/flyball\n  flyball upgrade --data /var/lib/flyball --back /var/lib/flyball-before-20261130-214500.tar",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			switch {
			case check && back != "":
				return fault.New(fault.Invalid, "--check goes no way back").Do("leave out one of the two")
			case check:
				return e.checkUpgrade(ctx, p, scratch)
			case p.Data == "":
				return fault.New(fault.Invalid, "of which server?").Do("name its data folder with --data, or rehearse with --check")
			case back != "":
				return e.goBack(ctx, p, back)
			}
			if keep == "" {
				keep = filepath.Clean(p.Data) + "-before-" + time.Now().UTC().Format("20060102-150405") + ".tar"
			}
			return e.upgrade(ctx, p, keep, scratch)
		},
	}
	placeFlags(c, &p, "the data folder")
	c.Flags().BoolVar(&check, "check", false, "rehearse on a copy, and change nothing")
	c.Flags().StringVar(&back, "back", "", "the backup to go back to")
	c.Flags().StringVar(&keep, "keep", "", "where the backup goes (default beside the data folder)")
	c.Flags().StringVar(&scratch, "scratch", "", "where the rehearsal works; it needs twice the space of all that is kept (default the folder of temporary files)")
	return c
}

// checkUpgrade rehearses on a copy that is removed.
func (e *env) checkUpgrade(ctx context.Context, p app.Place, scratch string) (err error) {
	dir, err := os.MkdirTemp(scratch, "flyball-upgrade-")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "there is no folder to rehearse in")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "backup.tar")
	if _, err := e.backup(ctx, file, p); err != nil {
		return err
	}
	r, err := app.Rehearse(ctx, file, dir, "", e.backupSteps())
	if err != nil {
		return err
	}
	return e.tellRehearsal(r)
}

func (e *env) upgrade(ctx context.Context, p app.Place, keep, scratch string) error {
	if _, err := e.backup(ctx, keep, p); err != nil {
		return err
	}
	e.say("the backup is %s", keep)
	r, err := app.Rehearse(ctx, keep, scratch, "", e.backupSteps())
	if err != nil {
		return err
	}
	if !r.Good() {
		return e.tellRehearsal(r)
	}
	r, err = app.Upgrade(ctx, p, keep, e.backupSteps())
	if err != nil {
		return err
	}
	t := table{head: []string{"what", "state", "detail"}}
	for _, f := range r.Findings {
		t.add(f.What, "ok", f.Detail)
	}
	if err := e.show(r, t); err != nil {
		return err
	}
	e.say("upgraded from schema %d to %d. The way back: flyball upgrade --data %s --back %s, then the version before (%s)", r.From, r.To, p.Data, keep, r.Manifest.Version)
	return nil
}

func (e *env) goBack(ctx context.Context, p app.Place, file string) error {
	lost, err := app.Back(ctx, p, file, e.backupSteps())
	if err != nil {
		return err
	}
	t := table{head: []string{"since the backup", "number"}}
	t.add("audit records", fmt.Sprint(lost.Audit))
	t.add("rows", fmt.Sprint(lost.Rows))
	if err := e.show(lost, t); err != nil {
		return err
	}
	e.say("it is as the backup has it; what was written since lies in %s", lost.Aside)
	if p.Database != "" {
		e.say("its records lie in the schema %s of the database", filepath.Base(lost.Aside))
	}
	return nil
}
