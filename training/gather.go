// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/serving/prediction"
)

// maxSource bounds one file of a source that is read into memory to be unpacked.
const maxSource = 8 << 30

// gather makes the snapshot that a training sees: the source's files and, when the
// model file says so, what was served: every row whose truth is due at now, and the
// rows of the newest test window whatever their truth, for comparing today's
// traffic. Where both hold a key, the log wins. The same files and log give the
// same snapshot.
func gather(ctx context.Context, blobs blob.Store, log prediction.Log, r Request) (dataset.Snapshot, error) {
	rows, err := source(ctx, blobs, r)
	if err != nil {
		return dataset.Snapshot{}, err
	}
	if log != nil && r.Recipe.Data.Also != "none" {
		answered, err := fromLog(ctx, log, r, rows.Fields())
		if err != nil {
			return dataset.Snapshot{}, err
		}
		if rows, err = join(rows, answered, r.Recipe.Task.ID); err != nil {
			return dataset.Snapshot{}, err
		}
	}
	return dataset.Write(ctx, blobs, frame.FromMemory(rows), r.Recipe.Task)
}

// source reads the source's files in the order of their names.
func source(ctx context.Context, blobs blob.Store, r Request) (*frame.Frame, error) {
	var parts []*frame.Frame
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		part, err := sourceFile(ctx, blobs, name, r.Files[name], r.Recipe)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, fault.New(fault.Invalid, "%s has no data: its source %q came with no file", r.Recipe.Model, r.Recipe.Data.Source)
	}
	return frame.Concat(parts...)
}

func sourceFile(ctx context.Context, blobs blob.Store, name string, f registry.DataFile, recipe Recipe) (*frame.Frame, error) {
	raw, err := blob.ReadAll(ctx, blobs, f.Digest, maxSource)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	in, err := frame.OpenBytes(path.Base(name), raw, frame.CSVOptions{Kinds: recipe.kinds()})
	if err != nil {
		return nil, err
	}
	return frame.ReadAll(in)
}

// served is one row of the log with its truth, as far as it is known.
type served struct {
	key   string
	time  time.Time
	row   json.RawMessage
	label string
	known time.Time
}

// readLog reads the served rows that belong into the snapshot. The newest answer to a
// key stands for it. Rows of one moment are in the order of their keys: their ids are
// drawn, and the snapshot must not hang on that.
func readLog(ctx context.Context, log prediction.Log, r Request) ([]served, error) {
	recent := r.Now.Add(-r.Recipe.Data.Test.Window.D())
	byKey := map[string]int{}
	var out []served
	err := log.Scan(ctx, prediction.Query{Model: r.Recipe.Model, AsOf: r.Now}, func(j prediction.Joined) error {
		if j.Due.After(r.Now) && j.Time.Before(recent) {
			return nil
		}
		s := served{key: j.Key, time: j.Time, row: j.Row}
		if j.Label != nil {
			s.label, s.known = j.Label.Value, j.Label.At
		}
		if i, twice := byKey[j.Key]; twice && j.Key != "" {
			out[i] = s
			return nil
		}
		byKey[j.Key] = len(out)
		out = append(out, s)
		return nil
	})
	slices.SortStableFunc(out, func(a, b served) int {
		return cmp.Or(a.time.Compare(b.time), strings.Compare(a.key, b.key))
	})
	return out, err
}

// fromLog reads the served rows into the source's columns: the request's own, and
// the label.
func fromLog(ctx context.Context, log prediction.Log, r Request, fields []frame.Field) (*frame.Frame, error) {
	task := r.Recipe.Task
	all, err := readLog(ctx, log, r)
	if err != nil {
		return nil, err
	}
	rows, labels, known := make([]json.RawMessage, len(all)), make([]string, len(all)), make([]time.Time, len(all))
	for i, s := range all {
		rows[i], labels[i], known[i] = s.row, s.label, s.known
	}
	optional := slices.DeleteFunc(slices.Clone(fields), func(f frame.Field) bool {
		return f.Name == task.Column || f.Name == task.Truth.KnownAt
	})
	got, err := frame.DecodeRows(rows, frame.DecodeOptions{Optional: optional, Loose: true})
	if err != nil {
		return nil, err
	}
	cols := make([]frame.Column, len(fields))
	for i, f := range fields {
		switch f.Name {
		case task.Column:
			if cols[i], err = labelColumn(f, labels); err != nil {
				return nil, err
			}
		case task.Truth.KnownAt:
			cols[i] = knownColumn(f, known)
		default:
			cols[i] = *got.Column(f.Name)
		}
	}
	return frame.New(cols...), nil
}

func labelColumn(f frame.Field, labels []string) (frame.Column, error) {
	if f.Kind == frame.Text {
		null := make([]bool, len(labels))
		for i, l := range labels {
			null[i] = l == ""
		}
		return frame.TextColumn(f.Name, labels, null), nil
	}
	out := make([]float64, len(labels))
	for i, l := range labels {
		if l == "" {
			out[i] = nan
			continue
		}
		x, err := strconv.ParseFloat(l, 64)
		if err != nil {
			return frame.Column{}, fault.New(fault.Invalid, "the label %q is not a number, as %s must be", l, f.Name)
		}
		out[i] = x
	}
	return frame.NumberColumn(f.Name, out), nil
}

func knownColumn(f frame.Field, known []time.Time) frame.Column {
	if f.Kind == frame.Text {
		text, null := make([]string, len(known)), make([]bool, len(known))
		for i, t := range known {
			if null[i] = t.IsZero(); !null[i] {
				text[i] = t.UTC().Format(time.RFC3339Nano)
			}
		}
		return frame.TextColumn(f.Name, text, null)
	}
	out := make([]int64, len(known))
	for i, t := range known {
		if out[i] = frame.NoTime; !t.IsZero() {
			out[i] = t.UnixMicro()
		}
	}
	return frame.TimeColumn(f.Name, out)
}

// join puts the served rows after the source's, and drops what the source holds of
// a key that was served.
func join(rows, answered *frame.Frame, id string) (*frame.Frame, error) {
	if id == "" || answered.Rows() == 0 {
		return frame.Concat(rows, answered)
	}
	have := make(map[string]bool, answered.Rows())
	for i := range answered.Rows() {
		have[answered.Column(id).Format(i)] = true
	}
	keep := make([]int, 0, rows.Rows())
	for i := range rows.Rows() {
		if !have[rows.Column(id).Format(i)] {
			keep = append(keep, i)
		}
	}
	if len(keep) < rows.Rows() {
		rows = rows.Take(keep)
	}
	return frame.Concat(rows, answered)
}

// SourceBytes opens a source file given as bytes and says what is in it; used where
// no server is (flyball train FILE).
func SourceBytes(ctx context.Context, blobs blob.Store, raw []byte) (registry.DataFile, error) {
	d, n, err := blobs.Put(ctx, bytes.NewReader(raw))
	return registry.DataFile{Digest: d, Size: n}, err
}
