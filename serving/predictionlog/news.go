// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"flyball/fault"
	"flyball/governance/audit"
)

// newsSchema is what version 5 added: what happened to sealed files and is not in the
// audit chain yet. A row is written in the transaction of what happened, and deleted
// when the chain has it; so a crash leaves nothing untold.
const newsSchema = `
CREATE TABLE news (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	what   TEXT NOT NULL,
	at     INTEGER NOT NULL,
	model  TEXT NOT NULL,
	day    INTEGER NOT NULL,
	name   TEXT NOT NULL,
	rows   INTEGER NOT NULL,
	bytes  INTEGER NOT NULL,
	sha256 TEXT NOT NULL,
	was    TEXT NOT NULL,
	who    TEXT NOT NULL,
	why    TEXT NOT NULL
) STRICT;
`

// oldNews are the files that were sealed before there was news. Their SHA-256 is found
// when they are told.
const oldNews = `
INSERT INTO news (what, at, model, day, name, rows, bytes, sha256, was, who, why)
SELECT 'seal', CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER), p.model, p.day, f.name, f.rows, f.bytes, '', '', '', 'it was sealed before this was recorded'
FROM file f JOIN part p ON p.id = f.part ORDER BY p.day, p.model, f.name;
`

// news is what happened to a sealed file.
type news struct {
	seq      int64
	what     string // as package audit names it
	who, why string
	was      string // SHA-256 before
	at       int64  // microseconds
	part
	file
}

// execer is a database or a transaction in it.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// putNews remembers what is to be told.
func (l *Log) putNews(ctx context.Context, db execer, p part, n news) error {
	_, err := db.ExecContext(ctx, `INSERT INTO news (what, at, model, day, name, rows, bytes, sha256, was, who, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.what, l.opts.Now().UnixMicro(), p.model, p.day, n.name, n.count, n.size, n.sha, n.was, n.who, n.why)
	return err
}

// readNews is what was not told yet, in its order.
func (l *Log) readNews(ctx context.Context) ([]news, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT seq, what, at, model, day, name, rows, bytes, sha256, was, who, why FROM news ORDER BY seq`)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var out []news
	for rows.Next() {
		var n news
		if err := rows.Scan(&n.seq, &n.what, &n.at, &n.model, &n.day, &n.name, &n.count, &n.size, &n.sha, &n.was, &n.who, &n.why); err != nil {
			return nil, broken(err, "read")
		}
		out = append(out, n)
	}
	return out, broken(rows.Err(), "read")
}

// untold are the files of a part whose removal is news.
func (l *Log) untold(ctx context.Context, p part) (map[string]bool, error) {
	all, err := l.readNews(ctx)
	out := map[string]bool{}
	for _, n := range all {
		if n.part == p {
			out[n.name] = n.what == audit.Trimmed || n.what == audit.Forgotten && n.sha == ""
		}
	}
	return out, err
}

// path is where a file lies below the folder of the log, with slashes.
func (n news) path() string { return fmt.Sprintf("model=%s/date=%s/%s", n.model, n.date(), n.name) }

// tell enters what is news into the audit chain, in its order: it does, then remembers,
// so what a crash leaves is told again, and the chain takes it once. What cannot be told
// now waits for the next seal. Whoever calls it holds sealing.
func (l *Log) tell(ctx context.Context) {
	if l.opts.Tell == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	all, err := l.readNews(ctx)
	if err == nil {
		for _, n := range all {
			if err = l.tellOne(ctx, n); err != nil {
				break
			}
		}
	}
	if err != nil {
		l.opts.Logger.Error("what happened to sealed predictions is not in the audit chain yet", "err", err)
	}
}

func (l *Log) tellOne(ctx context.Context, n news) error {
	if n.sha == "" && n.what == audit.Sealed {
		sha, err := l.oldSum(ctx, n)
		if err != nil {
			// Nothing vouches for these bytes: a verification will name them.
			l.opts.Logger.Error("a sealed file is not entered into the audit chain", "file", n.path(), "err", err)
			return l.told(ctx, n.seq)
		}
		n.sha = sha
	}
	if n.what == audit.Forgotten {
		if err := l.putInPlace(n); err != nil { // where that failed before
			return err
		}
	}
	err := l.opts.Tell(ctx, audit.News{
		At: moment(n.at), Action: n.what, Model: n.model, Actor: n.who, Why: n.why,
		File: audit.File{Path: n.path(), Date: n.date(), Rows: int64(n.count), Bytes: n.size, SHA256: n.sha, Was: n.was},
	})
	if fault.Is(err, fault.Conflict) {
		l.opts.Logger.Error("a sealed file is not as the audit chain has it", "file", n.path(), "err", err)
		err = nil
	}
	if err != nil {
		return err
	}
	return l.told(ctx, n.seq)
}

func (l *Log) told(ctx context.Context, seq int64) error {
	_, err := l.write.ExecContext(ctx, `DELETE FROM news WHERE seq = ?`, seq)
	return broken(err, "written")
}

// oldSum is the SHA-256 of a file that was sealed before there was news; its other sum
// must be as it was then. A file that was trimmed since has none.
func (l *Log) oldSum(ctx context.Context, n news) (string, error) {
	var want sum
	if err := l.read.QueryRowContext(ctx, `SELECT f.crc FROM file f JOIN part p ON p.id = f.part WHERE p.model = ? AND p.day = ? AND f.name = ?`,
		n.model, n.day, n.name).Scan(&want); err != nil {
		return "", err
	}
	d, _, err := digestsOf(filepath.Join(l.folder(n.part), n.name))
	if err != nil {
		return "", err
	}
	if d.sum() != want {
		return "", errors.New("its bytes have changed since it was written")
	}
	return d.sha(), nil
}
