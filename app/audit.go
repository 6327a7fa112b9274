// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

// anchors is the file with a line for each day's end of the audit chain.
func (a *App) anchors() string { return filepath.Join(a.cfg.Data, anchorFile) }

const anchorFile = "anchors.txt"

// tellFile enters what happened to a sealed file into the audit chain.
func (a *App) tellFile(ctx context.Context, n audit.News) error {
	n.Server = a.server
	return a.store.TellFile(ctx, n)
}

// serverName is the file of the data folder that says which server's it is, where several
// may share a database.
const serverName = "server"

// nameServer reads the server's name, and makes one at the first start. A server whose
// database lies in its data folder is the only one of it, and needs none; it has one where
// it was restored from a server that did.
func (a *App) nameServer() error {
	if a.cfg.Database != "" && a.cfg.term != nil { // they have one log among them
		a.server = "control"
		return nil
	}
	path := filepath.Join(a.cfg.Data, serverName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && a.cfg.Database == "" {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		raw = []byte(strings.ToLower(rand.Text()[:12]) + "\n")
		err = writeWhole(path, raw)
	}
	a.server = strings.TrimSpace(string(raw))
	return fault.Wrap(err, fault.Unavailable, "the name of the server cannot be read")
}

// anchor is where the audit chain ends now.
func (a *App) anchor(ctx context.Context) (audit.Anchor, error) {
	end, err := a.store.AuditEnd(ctx)
	return audit.Anchor{At: a.clock.now().UTC().Truncate(time.Second), End: end}, err
}

// keepAnchors writes an anchor on each day, until ctx is done. At the start it says where
// the chain is not the one of the last anchor: the database may be another, or older.
func (a *App) keepAnchors(ctx context.Context) error {
	last, any, err := audit.LastAnchor(a.anchors())
	if err == nil && any {
		err = a.holds(ctx, last)
	}
	if err != nil && ctx.Err() == nil {
		a.cfg.Logger.Error("the audit chain was not compared with its last anchor", "error", err)
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if now := a.clock.now().UTC(); !any || now.Format(time.DateOnly) != last.At.Format(time.DateOnly) {
			if last, any = a.writeAnchor(ctx); !any && ctx.Err() != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// holds says in the server's log when the chain does not hold the anchor.
func (a *App) holds(ctx context.Context, last audit.Anchor) error {
	if last.Seq == 0 {
		return nil
	}
	found, err := a.store.FindAudit(ctx, audit.Query{After: last.Seq - 1}, 1)
	if err == nil && (len(found) == 0 || found[0].Seq != last.Seq || found[0].Hash != last.Hash) {
		a.cfg.Logger.Error("the audit chain does not hold its last anchor: records were changed or cut off, or the database is another",
			"anchor", last.String(), "file", a.anchors())
	}
	return err
}

// writeAnchor adds a line to the anchors; false: it could not, and said so.
func (a *App) writeAnchor(ctx context.Context) (audit.Anchor, bool) {
	now, err := a.anchor(ctx)
	if err == nil {
		err = audit.AppendAnchor(a.anchors(), now)
	}
	if err != nil && ctx.Err() == nil {
		a.cfg.Logger.Error("there is no anchor of the audit chain for today", "error", err)
	}
	return now, err == nil
}
