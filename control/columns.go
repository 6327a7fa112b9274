// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/spec"
	"flyball/training"
)

// pin says what the columns of the source are from now on. At the first apply, and when
// the source is another one or repin says so, they are those that it has; later those that
// were pinned, and what has been added. Data that is no longer so is an Invalid fault with
// its place. Without change of file or data nothing is read; nor in a dry run whose bytes
// are not here.
func (s *Service) pin(ctx context.Context, r training.Recipe, rm registry.Model, repin, dry bool) ([]frame.Field, []string, error) {
	old, err := s.opts.Store.Model(ctx, rm.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, nil, err
	}
	same := old.File == rm.File && old.Pipeline == rm.Pipeline && maps.Equal(old.Data, rm.Data)
	if same && len(old.Columns) > 0 && !repin {
		return old.Columns, nil, nil
	}
	if dry {
		for _, f := range rm.Data {
			if here, err := s.opts.Blobs.Has(ctx, f.Digest); err != nil || !here {
				return old.Columns, nil, err
			}
		}
	}
	if len(rm.Data) == 0 && !source.Elsewhere(r.Data.Source) {
		return nil, nil, nil
	}
	set, err := training.OpenSource(ctx, s.opts.Blobs, s.opts.Sources, r.Data, rm.Data)
	if err != nil {
		return nil, nil, err
	}
	columns, warnings, err := columnsOf(ctx, set, r, old, repin)
	return columns, warnings, errors.Join(err, set.Close())
}

// columnsOf are the columns of a source from now on, when all its rows can be read as they
// say: a value that is not of its column's kind is told now, with its place, and not by the
// next training.
func columnsOf(ctx context.Context, set *source.Set, r training.Recipe, old registry.Model, repin bool) (_ []frame.Field, warnings []string, err error) {
	pinned := old.Columns
	if repin || !sameSource(old, r.Data) {
		pinned = nil
	}
	given := map[string]frame.Kind{}
	for _, c := range pinned {
		given[c.Name] = c.Kind
	}
	maps.Copy(given, r.Kinds())
	have, err := look(ctx, set, given)
	if err != nil || pinned == nil {
		return have, nil, err
	}
	for _, c := range pinned {
		if !slices.ContainsFunc(have, func(f frame.Field) bool { return f.Name == c.Name }) {
			return nil, nil, fault.New(fault.Invalid, "%s does not have the column %q any more", r.Data.Source, c.Name).
				Do("put it back; if it is gone for good, apply the model file with --repin")
		}
	}
	for _, c := range have {
		if !slices.ContainsFunc(pinned, func(f frame.Field) bool { return f.Name == c.Name }) {
			warnings = append(warnings, fmt.Sprintf("%s has a new column %s, of kind %s from now on", r.Data.Source, c.Name, c.Kind))
		}
	}
	return have, warnings, nil
}

// look is the columns of a source, of which each can be read as its kind. The source is
// read once where what its columns hold is what is given, and twice at most: where they
// hold something else, the second time says where that stands. Of Parquet files and
// queries the first look is at their description alone.
func look(ctx context.Context, set *source.Set, given map[string]frame.Kind) ([]frame.Field, error) {
	have, err := set.Columns(ctx, nil)
	sure := err == nil
	if err != nil && len(given) > 0 { // its own kinds cannot be told, and need not be
		have, err = set.Columns(ctx, given)
	}
	if err != nil {
		return nil, err
	}
	for i, c := range have {
		if kind, ok := given[c.Name]; ok && kind != c.Kind {
			have[i].Kind, sure = kind, false
		}
	}
	if sure && !slices.ContainsFunc(set.Parts, func(p source.Part) bool { return !p.All }) {
		return have, nil
	}
	rows, err := set.Read(ctx, have, nil)
	for err == nil {
		_, err = rows.Next()
	}
	if errors.Is(err, io.EOF) {
		return have, nil
	}
	return nil, err
}

// sameSource reports whether a model file that was applied named the same source.
func sameSource(old registry.Model, d dataset.Settings) bool {
	f, err := spec.Parse(old.Name, []byte(old.File))
	return err == nil && f.Model != nil && f.Model.Data.Source == d.Source && f.Model.Data.Query == d.Query
}

// named reports a name of a data file that is no path below a folder.
func named(files map[string]registry.DataFile) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !fs.ValidPath(name) || name == "." {
			return fault.New(fault.Invalid, "%q is no name of a data file", name).Do("write its path below the source's folder, such as year=2026/a.csv")
		}
	}
	return nil
}
