// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/training"
)

// historyFile holds all bookings of the example, in order of booking.
const historyFile = "demo_hotel_bookings.csv.gz"

// prepare writes the source of the model file: the history's bookings made before the
// replay begins, with their row number as the key. The labels are all in it, with the
// day each became known: Flyball hides those that lie ahead of its now.
func prepare(o options) error {
	until, err := time.Parse(time.DateOnly, o.until)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "--until is a day such as 2017-01-01")
	}
	rows, err := history(o, func(booked time.Time) bool { return booked.Before(until) })
	if err != nil {
		return err
	}
	raw, err := pack(rows)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.source, raw, 0o600); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the source cannot be written")
	}
	o.say("%d bookings made before %s: %s", len(rows)-1, o.until, o.source)
	return nil
}

// history is the head and the rows of the history that were booked when take says,
// with booking_id before the other columns.
func history(o options, take func(booked time.Time) bool) (rows [][]string, err error) {
	f, err := os.Open(filepath.Join(o.dir, historyFile))
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "the history cannot be read: give its folder with --dir")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not packed by gzip", f.Name())
	}
	r := csv.NewReader(z)
	head, err := r.Read()
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s has no head", f.Name())
	}
	rows = append(rows, append([]string{"booking_id"}, head...))
	for n := 1; ; n++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s cannot be read", f.Name())
		}
		booked, err := time.Parse(time.DateOnly, row[0])
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s, row %d: no day of booking", f.Name(), n)
		}
		if n%o.thin == 0 && take(booked) {
			rows = append(rows, append([]string{strconv.Itoa(n)}, row...))
		}
	}
}

// pack is the rows as a gzipped CSV file; the same rows give the same bytes.
func pack(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := csv.NewWriter(z).WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write the bookings: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write the bookings: %w", err)
	}
	return b.Bytes(), nil
}

// bookings are those to replay, in order of booking.
type bookings struct {
	rows   *frame.Frame
	booked []time.Time
	due    []time.Time
	known  []time.Time
	key    []string
	label  []string
	asked  []json.RawMessage // the rows as requests: without what nobody knows yet
}

// load reads the bookings of the days to replay as the recipe sees them.
func load(o options, recipe training.Recipe) (*bookings, error) {
	end := begins.AddDate(0, 0, o.days)
	rows, err := history(o, func(booked time.Time) bool { return !booked.Before(begins) && booked.Before(end) })
	if err != nil {
		return nil, err
	}
	raw, err := pack(rows)
	if err != nil {
		return nil, err
	}
	task := recipe.Task
	kinds := map[string]frame.Kind{task.Column: frame.Number}
	for _, f := range recipe.Pipeline.Inputs {
		kinds[f.Name] = f.Kind
	}
	for _, name := range []string{task.ID, task.Time, task.Truth.DueAt, task.Truth.KnownAt} {
		kinds[name] = frame.Text
	}
	r, err := frame.OpenBytes(historyFile, raw, frame.CSVOptions{Kinds: kinds})
	if err != nil {
		return nil, err
	}
	b := &bookings{}
	if b.rows, err = frame.ReadAll(r); err != nil {
		return nil, err
	}
	for name, to := range map[string]*[]time.Time{task.Time: &b.booked, task.Truth.DueAt: &b.due, task.Truth.KnownAt: &b.known} {
		if *to, err = days(b.rows, name); err != nil {
			return nil, err
		}
	}
	for i := range b.rows.Rows() {
		b.key = append(b.key, b.rows.Column(task.ID).Format(i))
		b.label = append(b.label, b.rows.Column(task.Column).Format(i))
		ask, err := request(b.rows, i, task.Column, task.Truth.KnownAt)
		if err != nil {
			return nil, err
		}
		b.asked = append(b.asked, ask)
	}
	return b, nil
}

func days(f *frame.Frame, column string) ([]time.Time, error) {
	c := f.Column(column)
	if c == nil {
		return nil, fault.New(fault.Invalid, "the history has no column %q, which the model file names", column)
	}
	out := make([]time.Time, c.Len())
	for i := range out {
		us, err := frame.ParseTime(c.Format(i))
		if err != nil {
			return nil, err
		}
		out[i] = time.UnixMicro(us).UTC()
	}
	return out, nil
}

// request is a row as it is asked, without the columns that are hidden.
func request(f *frame.Frame, i int, hidden ...string) (json.RawMessage, error) {
	row := map[string]any{}
	for _, field := range f.Fields() {
		c := f.Column(field.Name)
		switch {
		case c.Missing(i):
			row[field.Name] = nil
		case c.Kind == frame.Number:
			row[field.Name] = c.Num[i]
		default:
			row[field.Name] = c.Format(i)
		}
	}
	for _, name := range hidden {
		delete(row, name)
	}
	raw, err := json.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return raw, nil
}
