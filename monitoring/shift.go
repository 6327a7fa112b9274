// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"flyball/data/frame"
	"flyball/stat"
)

// Shift is how one feature of a window is distributed against the whole reference:
// figures for a page. Whether it is unusual is for Step to judge.
type Shift struct {
	Feature string  `json:"feature"`
	Rows    int     `json:"rows"` // with a value
	PSI     float64 `json:"psi"`  // on groups of bins
	JS      float64 `json:"js"`   // Jensen-Shannon distance on all bins, in nats
	KS      float64 `json:"ks"`   // Number
	W1      float64 `json:"w1"`   // Number: Wasserstein distance in the feature's unit, from the bins' middles
	Missing float64 `json:"missing"`
	Usual   float64 `json:"usual"` // the reference's share of missing
	New     float64 `json:"new"`   // share out of range or not in the vocabulary
	Fixed   string  `json:"fixed,omitempty"`
}

// Shifts are the features of a window, and last the prediction where it is known,
// in the profile's order. A window of another profile gives no shifts.
func Shifts(p *Profile, w Window) []Shift {
	if len(w.Features) != len(p.Features) {
		return nil
	}
	var out []Shift
	for i := range p.Features {
		if s, ok := shiftOf(&p.Features[i], &w.Features[i], p.Rows); ok {
			out = append(out, s)
		}
	}
	if p.Score != nil && w.Score != nil {
		if s, ok := shiftOf(p.Score, w.Score, p.Rows); ok {
			out = append(out, s)
		}
	}
	return out
}

func shiftOf(f *Feature, c *Counts, reference int) (Shift, bool) {
	if len(c.Bins) != len(f.Counts) || c.Name != f.Name {
		return Shift{}, false
	}
	s := Shift{Feature: f.Name, Rows: c.rows(), Fixed: f.Fixed, JS: stat.JensenShannon(c.Bins, f.Counts)}
	whole := Counts{Bins: f.Counts}
	s.PSI = stat.PSI(c.grouped(f), whole.grouped(f))
	if f.Kind == frame.Number {
		s.KS = stat.KSBins(c.Bins, f.Counts)
		s.W1 = stat.W1Bins(f.middles(), c.Bins, f.Counts)
	}
	if all := s.Rows + c.Missing; all > 0 {
		s.Missing = float64(c.Missing) / float64(all)
	}
	if s.Rows > 0 {
		s.New = float64(c.New) / float64(s.Rows)
	}
	if reference > 0 {
		s.Usual = float64(f.Missing) / float64(reference)
	}
	return s, true
}

// middles are the places of a number's bins; the outer ones reach to min and max.
func (f *Feature) middles() []float64 {
	out := make([]float64, len(f.Edges)+1)
	low := f.Min
	for i := range out {
		high := f.Max
		if i < len(f.Edges) {
			high = f.Edges[i]
		}
		out[i] = low + (high-low)/2
		low = high
	}
	return out
}
