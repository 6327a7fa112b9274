// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/event"
	"flyball/monitoring"
)

// SaveMonitoring keeps what a look at a model found: the state of its watch (nil: as
// it was), findings that opened or closed, windows that closed, and evs, all or
// nothing. A finding replaces the one with its ID; a window replaces the one of its
// model, version and start.
func (db *DB) SaveMonitoring(ctx context.Context, model string, state json.RawMessage, findings []monitoring.Finding, windows []monitoring.Window, evs ...event.Event) error {
	return db.atomic(ctx, "what monitoring found was not written", func(t *tx) error {
		if state != nil {
			_, err := t.exec(ctx, `INSERT INTO monitor_state (model, body) VALUES ($1, $2)
				ON CONFLICT (model) DO UPDATE SET body = excluded.body`, model, text(state))
			if err != nil {
				return err
			}
			if err := t.rememberWatch(ctx, model, state); err != nil {
				return err
			}
		}
		for i := range findings {
			if err := t.finding(ctx, &findings[i]); err != nil {
				return err
			}
		}
		for i := range windows {
			if err := t.window(ctx, &windows[i]); err != nil {
				return err
			}
		}
		return t.feed(ctx, evs)
	})
}

// shown is what of the state of a watch is told to people: of that the past is kept.
type shown struct {
	Suspects json.RawMessage `json:"suspects,omitempty"`
}

// rememberWatch keeps what is shown of the state of a watch, when it changed.
func (t *tx) rememberWatch(ctx context.Context, model string, state json.RawMessage) error {
	var now shown
	if json.Unmarshal(state, &now) != nil { // not ours to judge
		return nil
	}
	raw, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("encode the watch of %s: %w", model, err)
	}
	before := "{}"
	err = t.row(ctx, `SELECT body FROM past WHERE kind = $1 AND model = $2 AND id = '' ORDER BY seq DESC LIMIT 1`, pastWatch, model).Scan(&before)
	if err = ignore(err, sql.ErrNoRows); err != nil || before == text(raw) {
		return err
	}
	return t.remember(ctx, pastWatch, model, "", text(raw))
}

func (t *tx) finding(ctx context.Context, f *monitoring.Finding) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode finding %s: %w", f.ID, err)
	}
	_, err = t.exec(ctx, `INSERT INTO findings (id, model, opened_at, closed_at, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at, closed_at = excluded.closed_at, body = excluded.body`,
		f.ID, f.Model, f.Opened.UnixMicro(), micros(f.Closed), string(raw))
	if err != nil {
		return err
	}
	return t.remember(ctx, pastFinding, f.Model, f.ID, string(raw))
}

func (t *tx) window(ctx context.Context, w *monitoring.Window) error {
	raw, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode a window of %s: %w", w.Model, err)
	}
	_, err = t.exec(ctx, `INSERT INTO windows (model, version, begin_at, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (model, version, begin_at) DO UPDATE SET body = excluded.body`,
		w.Model, w.Version, w.Start.UnixMicro(), string(raw))
	return err
}

// MonitorState is the state of a model's watch as it was saved; nil when it never was. As
// of a moment it has the member suspects alone.
func (db *DB) MonitorState(ctx context.Context, model string) (json.RawMessage, error) {
	ctx, at := then(ctx)
	if at != present {
		states, err := earlier[json.RawMessage](ctx, db, "the state of the watch cannot be read", pastWatch, model, at)
		if err != nil || len(states) == 0 {
			return nil, err
		}
		return states[0], nil
	}
	var state json.RawMessage
	err := db.row(ctx, `SELECT body FROM monitor_state WHERE model = $1`, model).Scan(document{&state})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return state, problem(err, "the state of the watch cannot be read")
}

// Findings are a model's findings (of all models when it is empty), the newest first;
// only those that are open when openOnly is set.
func (db *DB) Findings(ctx context.Context, model string, openOnly bool) ([]monitoring.Finding, error) {
	const what = "the findings cannot be read"
	ctx, at := then(ctx)
	if at != present {
		fs, err := earlier[monitoring.Finding](ctx, db, what, pastFinding, model, at)
		if openOnly {
			fs = only(fs, func(f monitoring.Finding) bool { return f.Closed.IsZero() })
		}
		slices.SortFunc(fs, func(a, b monitoring.Finding) int {
			return cmp.Or(b.Opened.Compare(a.Opened), strings.Compare(a.ID, b.ID))
		})
		return fs, err
	}
	return all(ctx, db, what, func(s scanner) (f monitoring.Finding, err error) {
		err = s.Scan(body{&f})
		return f, err
	}, `SELECT body FROM findings WHERE ($1 = '' OR model = $1) AND ($2 = 0 OR closed_at IS NULL) ORDER BY opened_at DESC, id`, model, oneIf(openOnly))
}

// Windows are a model's windows that start in from … to, to excluded, in the order of
// their starts and versions.
func (db *DB) Windows(ctx context.Context, model string, from, to time.Time) ([]monitoring.Window, error) {
	ctx, at := then(ctx)
	ws, err := all(ctx, db, "the windows cannot be read", func(s scanner) (w monitoring.Window, err error) {
		err = s.Scan(body{&w})
		return w, err
	}, `SELECT body FROM windows WHERE model = $1 AND begin_at >= $2 AND begin_at < $3 ORDER BY begin_at, version`,
		model, from.UnixMicro(), to.UnixMicro())
	return only(ws, func(w monitoring.Window) bool { return w.End.UnixMicro() <= at }), err
}
