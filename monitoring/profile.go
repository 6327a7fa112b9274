// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/unit"
)

// Format is the first line of every profile.json.
const Format = "flyball.profile/v1"

// Bounds of a profile, so that it stays small whatever the data is.
const (
	maxBins    = 64     // of a number; twice the quantiles, as an atom has its own bin
	maxWords   = 1000   // of a text
	maxWord    = 256    // bytes; a longer text counts as other
	maxGroups  = 16     // of bins, on which drift is measured
	allWords   = 20_000 // of all texts
	maxWindows = 200
	allWindows = 50_000 // times columns
	maxColumns = 4096
	driftRows  = 500 // a shift of 0.3 sd shows in a window of this many rows
)

// Profile is what monitoring compares with: how the training rows were distributed,
// in all and in consecutive windows, and how far the judged model was off on the
// held-out rows. It is made at training, travels in the bundle (profile.json, see
// docs/formats/profile.md) and is not changed. It may be used by many goroutines.
type Profile struct {
	Format     string        `json:"format"`
	Every      unit.Duration `json:"every"`       // a block of time; windows are whole blocks
	AtLeast    int           `json:"at_least"`    // rows before anything is judged
	WindowRows int           `json:"window_rows"` // a drift window grows until it has so many rows
	From       time.Time     `json:"from,omitzero"`
	To         time.Time     `json:"to,omitzero"` // event times of the first and the last row; zero: rows have none
	Rows       int           `json:"rows"`
	Kind       dataset.Kind  `json:"kind"`
	Classes    []string      `json:"classes,omitempty"`
	Features   []Feature     `json:"features"`
	Score      *Feature      `json:"score,omitempty"` // of the first output; nil: not known
	Windows    []Stretch     `json:"windows,omitempty"`
	Volume     Volume        `json:"volume,omitzero"`
	HeldOut    HeldOut       `json:"held_out,omitzero"`
	Unlabelled *Unlabelled   `json:"unlabelled,omitempty"` // nil: not known
	Joint      *Joint        `json:"joint,omitempty"`      // nil: columns are only watched one by one

	Attribution *Attribution `json:"attribution,omitempty"` // of the held-out rows; nil: not known

	// Provisional: made of the first rows served, not of the training rows.
	Provisional bool `json:"provisional,omitempty"`
}

// Feature is the distribution of one input over the training rows.
type Feature struct {
	Name    string     `json:"name"`
	Kind    frame.Kind `json:"kind"`
	Edges   []float64  `json:"edges,omitempty"` // Number: inner edges, rising; a bin holds what is above one and at most the next
	Words   []string   `json:"words,omitempty"` // Text: the vocabulary, the most frequent first; the bin after the last is other
	Counts  []int      `json:"counts"`          // rows a bin
	Missing int        `json:"missing"`
	Min     float64    `json:"min"` // Number
	Max     float64    `json:"max"`
	Groups  []int      `json:"groups,omitempty"`   // the group of each bin; drift is measured on groups
	Fixed   string     `json:"fixed,omitempty"`    // why drift is not judged; empty: it is
	Varies  bool       `json:"varies,omitempty"`   // no window held one value only
	New     Share      `json:"new,omitzero"`       // rows outside what earlier windows had held
	HeldOut []Loss     `json:"held_out,omitempty"` // by group, and last of missing values: of the held-out rows; nil: not known
}

// Share is a number of rows out of all, and the highest share in one window.
type Share struct {
	Hits  int     `json:"hits"`
	Rows  int     `json:"rows"`
	Worst float64 `json:"worst"`
}

// Stretch is one reference window: the rows of consecutive blocks.
type Stretch struct {
	Start    time.Time `json:"start,omitzero"` // zero: rows have no time, and windows are in their order
	End      time.Time `json:"end,omitzero"`
	Rows     int       `json:"rows"`
	Groups   [][]int   `json:"groups"`  // by feature: rows a group; null for a feature without groups
	Missing  []int     `json:"missing"` // by feature
	ScoreRow []int     `json:"score,omitempty"`
}

// Volume is how many rows a block held, over the whole blocks of the reference.
type Volume struct {
	Blocks int     `json:"blocks"`
	Min    int     `json:"min"`
	Median int     `json:"median"`
	Max    int     `json:"max"`
	Mean   float64 `json:"mean"`
}

// HeldOut is how the judged model did on rows that it had not seen, by blocks.
type HeldOut struct {
	Rows   int     `json:"rows"`
	Blocks int     `json:"blocks"`
	Metric string  `json:"metric,omitempty"` // mean over rows; empty: none could be computed
	Value  float64 `json:"value"`            // of the metric
	SD     float64 `json:"sd"`               // between blocks
	Bias   float64 `json:"bias"`             // mean of score less truth
	BiasSD float64 `json:"bias_sd"`          // between blocks
	Truth  float64 `json:"truth"`            // mean of the truth's distance from zero
}

// Residuals are held-out rows of the judged model: rows that it had not seen.
type Residuals struct {
	Truth   []float64 // as evaluation.Sample has it
	Outputs int       // scores a row; 0: as many as there are
	Scores  []float64 // a row's scores one after the other
	Time    []int64   // microseconds since 1970 in UTC at which the truth fell due; nil: the rows' order stands for it
	Classes []string  // Multiclass: in the order of the scores

	Rows  *frame.Frame // what was asked; nil: not known
	Added [][]Added    // what columns added to the score, of some of the rows; nil: not known
}

// Encode is the profile as JSON; equal profiles give equal bytes.
func (p *Profile) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the profile cannot be written")
	}
	return append(b, '\n'), nil
}

// DecodeProfile reads what Encode wrote. Whatever does not hold together is an
// Invalid fault that says where.
func DecodeProfile(b []byte) (*Profile, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &Profile{}
	if err := d.Decode(p); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the profile cannot be read")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.Invalid, "the profile is followed by something else")
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Profile) check() error {
	switch {
	case p.Format != Format:
		return fault.New(fault.Invalid, "the profile's format is %q, not %q", p.Format, Format).Do("train the version again, or use the release of Flyball that made it")
	case p.Every <= 0 || p.AtLeast <= 0 || p.WindowRows <= 0 || p.Rows < 0:
		return fault.New(fault.Invalid, "the profile's windows have no size")
	case len(p.Features) > maxColumns || len(p.Windows) > maxWindows:
		return fault.New(fault.Invalid, "the profile has more columns or windows than a profile may")
	case p.HeldOut.Blocks < 0 || p.HeldOut.Rows < p.HeldOut.Blocks:
		return fault.New(fault.Invalid, "the profile's held-out rows do not hold together")
	case !finite(p.HeldOut.Value, p.HeldOut.SD, p.HeldOut.Bias, p.HeldOut.BiasSD, p.HeldOut.Truth) || p.HeldOut.SD < 0 || p.HeldOut.BiasSD < 0:
		return fault.New(fault.Invalid, "the profile's held-out figures are not numbers")
	case p.HeldOut.Metric != "" && !evaluation.Known(p.HeldOut.Metric):
		return fault.New(fault.Invalid, "the profile's metric %q is not known", p.HeldOut.Metric)
	}
	seen := map[string]bool{}
	for i := range p.Features {
		f := &p.Features[i]
		if seen[f.Name] {
			return fault.New(fault.Invalid, "the profile has column %q twice", f.Name)
		}
		seen[f.Name] = true
		if err := f.check(); err != nil {
			return err
		}
	}
	if p.Score != nil {
		if err := p.Score.check(); err != nil {
			return err
		}
	}
	if err := cmp.Or(p.Unlabelled.check(p.Kind, len(p.Classes)), p.Joint.check(p), p.Attribution.check()); err != nil {
		return err
	}
	for i := range p.Windows {
		if err := p.checkWindow(&p.Windows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *Feature) check() error {
	bins := 0
	switch f.Kind {
	case frame.Number:
		bins = len(f.Edges) + 1
	case frame.Text:
		bins = len(f.Words) + 1
	}
	ok := len(f.Edges) < maxBins && len(f.Words) <= maxWords && len(f.Counts) == bins && len(f.Groups) == bins &&
		finite(f.Min, f.Max, f.New.Worst) && slices.IsSorted(f.Edges) && finite(f.Edges...)
	for _, g := range f.Groups {
		ok = ok && g >= 0 && g < maxGroups
	}
	ok = ok && f.checkHeldOut() && counts(f.Counts) && counts([]int{f.Missing, f.New.Hits, f.New.Rows})
	if !ok {
		return fault.New(fault.Invalid, "the profile of column %q does not hold together", f.Name)
	}
	return nil
}

func (p *Profile) checkWindow(w *Stretch) error {
	ok := len(w.Groups) == len(p.Features) && len(w.Missing) == len(p.Features) && w.Rows >= 0 && !w.End.Before(w.Start) &&
		(w.ScoreRow == nil || p.Score != nil && len(w.ScoreRow) == p.Score.groups()) && counts(w.Missing) && counts(w.ScoreRow)
	for i := range w.Groups {
		ok = ok && i < len(p.Features) && len(w.Groups[i]) == p.Features[i].groups() && counts(w.Groups[i])
	}
	if !ok {
		return fault.New(fault.Invalid, "a window of the profile does not fit its columns")
	}
	return nil
}

// counts reports whether all are numbers of rows, small enough to be added.
func counts(v []int) bool {
	for _, n := range v {
		if n < 0 || n > 1<<40 {
			return false
		}
	}
	return true
}

// groups is the number of groups of bins; 0 for a feature that is only counted.
func (f *Feature) groups() int {
	n := 0
	for _, g := range f.Groups {
		n = max(n, g+1)
	}
	return n
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
