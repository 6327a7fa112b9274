// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/fault"
)

// The files of an evaluation, below the artifacts of a run. Of the predictions there
// is one of the two.
const (
	ManifestFile       = "evaluation/evaluation.json"
	PredictionsFile    = "evaluation/predictions.csv"
	PredictionsFileZip = "evaluation/predictions.csv.gz"
)

// OtherFile is where a run keeps what another version said of the same rows.
func OtherFile(version string) string { return "evaluation/others/" + version + ".csv.gz" }

// The bounds of an evaluation.
const (
	MaxManifest    = 64 << 10
	MaxPredictions = 128 << 20 // bytes after decompression
	maxRows        = 1_000_000
	maxColumns     = 64
	maxSlices      = 32
	maxField       = 4096
	maxRow         = 512 << 10 // bytes
	maxKey         = 512
	format         = 1
)

// Evaluation is what a run predicted on rows whose truth is known.
type Evaluation struct {
	Manifest
	Keys   []string
	Truth  []float64 // binary: 0 or 1
	Score  []float64
	Weight []float64                // nil: 1 each
	Block  []uint64                 // rows with equal numbers are one draw; nil: each row is one
	Slices []evaluation.SliceColumn //
	at     map[string]int32         // row by key
}

// Manifest says what the predictions are: evaluation.json.
type Manifest struct {
	Format    int          `json:"format"`
	Kind      dataset.Kind `json:"kind"`
	Dataset   Dataset      `json:"dataset,omitzero"`
	Positive  string       `json:"positive,omitempty"`  // binary: the label that is a yes; empty: "1"
	Threshold float64      `json:"threshold,omitempty"` // binary: above it is decided yes; 0: 0.5
}

// Dataset names rows, as a run's dataset input does.
type Dataset struct {
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// ReadManifest reads evaluation.json strictly. The error is an Invalid fault.
func ReadManifest(b []byte) (Manifest, error) {
	m := Manifest{}
	if len(b) > MaxManifest {
		return m, fault.New(fault.TooLarge, "%s has more than %d bytes", ManifestFile, MaxManifest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fault.Wrap(err, fault.Invalid, "%s is not what docs/formats/evaluation.md says", ManifestFile)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, fault.New(fault.Invalid, "%s has something after its end", ManifestFile)
	}
	switch {
	case m.Format != format:
		return Manifest{}, fault.New(fault.Invalid, "%s has format %d, and this program reads %d", ManifestFile, m.Format, format)
	case m.Kind == dataset.Regression && (m.Positive != "" || m.Threshold != 0):
		return Manifest{}, fault.New(fault.Invalid, "%s: a regression has no positive and no threshold", ManifestFile)
	case m.Kind != dataset.Binary && m.Kind != dataset.Regression:
		return Manifest{}, fault.New(fault.Invalid, "%s: kind is binary or regression, not %q", ManifestFile, m.Kind)
	case m.Threshold < 0 || m.Threshold >= 1:
		return Manifest{}, fault.New(fault.Invalid, "%s: threshold %v does not lie between 0 and 1", ManifestFile, m.Threshold)
	}
	if m.Kind == dataset.Binary && m.Positive == "" {
		m.Positive = "1"
	}
	if m.Kind == dataset.Binary && m.Threshold == 0 {
		m.Threshold = 0.5
	}
	return m, nil
}

// Read reads the predictions that a manifest describes; name is that of their file,
// and says whether they are compressed. What does not keep to the format is an
// Invalid fault with line and column, what is too large a TooLarge one.
func Read(m Manifest, name string, r io.Reader) (*Evaluation, error) {
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s is not compressed with gzip", name)
		}
		r = z
	}
	b := &bounded{r: r, left: MaxPredictions, row: maxRow}
	in := csv.NewReader(b)
	in.ReuseRecord = true
	p := reader{Evaluation: &Evaluation{Manifest: m, at: map[string]int32{}}, name: name, in: in, bytes: b}
	if err := p.all(); err != nil {
		return nil, err
	}
	return p.Evaluation, nil
}

var errTooMuch = fault.New(fault.TooLarge, "the predictions have more than %d MiB", MaxPredictions>>20).
	Do("keep a sample of the rows, the same for each run")

var errLongRow = fault.New(fault.Invalid, "a row of the predictions has more than %d KiB", maxRow>>10).
	Do("look for a quote that is not closed")

// bounded fails once more than left bytes come from r, or more than row bytes for one
// row: a quote that is never closed makes the rest of a file one field.
type bounded struct {
	r         io.Reader
	left, row int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	b.row -= int64(n)
	switch {
	case b.left < 0:
		return 0, errTooMuch
	case b.row < 0:
		return 0, errLongRow
	}
	return n, err
}

// reader is one reading of predictions.
type reader struct {
	*Evaluation
	name                             string
	in                               *csv.Reader
	bytes                            *bounded
	key, label, score, weight, block int // the columns' places; −1: absent
	cut                              []int
	known                            []map[string]string // texts of slices, each kept once
	blocks                           map[string]uint64
	lone                             uint64 // blocks of rows that have none, from the top
	no                               string // the other label
	positive                         float64
	positiveIsNumber                 bool
}

func (p *reader) all() error {
	head, err := p.in.Read()
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "%s is empty", p.name)
	} else if err != nil {
		return p.broken(err)
	}
	if err := p.head(head); err != nil {
		return err
	}
	p.positive, p.positiveIsNumber = decimal(p.Positive)
	for {
		p.bytes.row = maxRow
		row, err := p.in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p.broken(err)
		}
		if len(p.Keys) == maxRows {
			return fault.New(fault.TooLarge, "%s has more than %d rows", p.name, maxRows).Do("keep a sample of the rows, the same for each run")
		}
		if err := p.row(row); err != nil {
			return err
		}
	}
	if len(p.Keys) == 0 {
		return fault.New(fault.Invalid, "%s has no rows", p.name)
	}
	return nil
}

// broken tells an error of the bytes: of CSV with its place, else as it is.
func (p *reader) broken(err error) error {
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		return fault.New(fault.Invalid, "%s, line %d, column %d: %v", p.name, bad.Line, bad.Column, bad.Err)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(err, fault.Invalid, "%s cannot be read", p.name)
}

// at says what is wrong with a field of the row that was read last.
func (p *reader) bad(field int, format string, args ...any) error {
	line, column := p.in.FieldPos(field)
	return fault.New(fault.Invalid, "%s, line %d, column %d: %s", p.name, line, column, fmt.Sprintf(format, args...))
}

func (p *reader) head(names []string) error {
	p.key, p.label, p.score, p.weight, p.block = -1, -1, -1, -1, -1
	if len(names) > maxColumns {
		return fault.New(fault.Invalid, "%s has %d columns, at most %d are read", p.name, len(names), maxColumns)
	}
	places := map[string]*int{"key": &p.key, "label": &p.label, "prediction": &p.score, "weight": &p.weight, "block": &p.block}
	var seen []string
	for i, name := range names {
		name = strings.Clone(name)
		switch place, ok := places[name]; {
		case name == "":
			return p.bad(i, "a column has no name")
		case strings.HasPrefix(name, "\ufeff"):
			return p.bad(i, "the file begins with a byte order mark")
		case !utf8.ValidString(name) || len(name) > maxKey:
			return p.bad(i, "the name of a column is not text of at most %d bytes", maxKey)
		case slices.Contains(seen, name):
			return p.bad(i, "the column %s is there twice", name)
		case ok:
			*place = i
		case len(p.cut) == maxSlices:
			return p.bad(i, "more than %d slice columns", maxSlices)
		default:
			p.cut, p.known = append(p.cut, i), append(p.known, map[string]string{})
			p.Slices = append(p.Slices, evaluation.SliceColumn{Name: name})
		}
		seen = append(seen, name)
	}
	for _, name := range []string{"key", "label", "prediction"} {
		if *places[name] < 0 {
			return fault.New(fault.Invalid, "%s, line 1: the column %s is missing", p.name, name)
		}
	}
	if p.block >= 0 {
		p.blocks, p.lone = map[string]uint64{}, math.MaxUint64
	}
	return nil
}

func (p *reader) row(row []string) error {
	for i, text := range row {
		if len(text) > maxField {
			return p.bad(i, "a field of more than %d bytes", maxField)
		}
		if !utf8.ValidString(text) {
			return p.bad(i, "a field is not UTF-8")
		}
	}
	key := strings.Clone(row[p.key])
	if key == "" || len(key) > maxKey {
		return p.bad(p.key, "a key has 1 to %d bytes, not %d", maxKey, len(key))
	}
	if first, twice := p.at[key]; twice {
		return p.bad(p.key, "the key %q is that of row %d already", key, first+1)
	}
	truth, err := p.truth(row[p.label])
	if err != nil {
		return err
	}
	score, ok := decimal(row[p.score])
	if !ok {
		return p.bad(p.score, "the prediction %q is not a decimal number", short(row[p.score]))
	}
	if p.Kind == dataset.Binary && (score < 0 || score > 1) {
		return p.bad(p.score, "the prediction %s is not a probability", short(row[p.score]))
	}
	if p.weight >= 0 {
		w, ok := decimal(row[p.weight])
		if !ok || w <= 0 {
			return p.bad(p.weight, "the weight %q is not a number above 0", short(row[p.weight]))
		}
		p.Weight = append(p.Weight, w)
	}
	if p.block >= 0 {
		p.Block = append(p.Block, p.blockOf(row[p.block]))
	}
	for k, i := range p.cut {
		text, ok := p.known[k][row[i]]
		if !ok {
			text = strings.Clone(row[i])
			p.known[k][text] = text
		}
		p.Slices[k].Values = append(p.Slices[k].Values, text)
	}
	p.at[key] = int32(len(p.Keys))
	p.Keys, p.Truth, p.Score = append(p.Keys, key), append(p.Truth, truth), append(p.Score, score)
	return nil
}

// blockOf numbers blocks as they first appear; a row without one is a draw by itself.
func (p *reader) blockOf(text string) uint64 {
	if text == "" {
		p.lone--
		return p.lone
	}
	n, ok := p.blocks[text]
	if !ok {
		n = uint64(len(p.blocks))
		p.blocks[strings.Clone(text)] = n
	}
	return n
}

// truth reads a label: 1 for the positive one, 0 for the one other that there is.
func (p *reader) truth(text string) (float64, error) {
	v, number := decimal(text)
	if p.Kind == dataset.Regression {
		if !number {
			return 0, p.bad(p.label, "the label %q is not a decimal number", short(text))
		}
		return v, nil
	}
	switch {
	case text == "":
		return 0, p.bad(p.label, "a label is empty")
	case text == p.Positive, number && p.positiveIsNumber && v == p.positive:
		return 1, nil
	case p.no == "":
		p.no = strings.Clone(text)
	case text != p.no:
		if other, ok := decimal(p.no); !ok || !number || other != v {
			return 0, p.bad(p.label, "the label %q is a third one beside %q and %q", short(text), p.Positive, p.no)
		}
	}
	return 0, nil
}

// decimal reads a finite number written with digits, sign, point and exponent alone.
func decimal(s string) (float64, bool) {
	if len(s) > 64 || strings.Trim(s, "0123456789+-.eE") != "" || strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

func short(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
