// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/ident"
	"flyball/serving/prediction"
)

// maxSkews is how many features of a version may have a finding of skew at once.
const maxSkews = 20

// Skewed is how the features of a sample of rows, made again from the rows as they were
// asked, in one batch, differ from those that the rows were scored by. The right number
// of each is zero: the same pipeline makes both, and differs in no bit.
type Skewed struct {
	Feature  string             `json:"feature"`
	Mismatch int                `json:"mismatch"` // rows in which both have a value, and not the same
	Missing  int                `json:"missing"`  // rows that were scored without a value where there is one
	Extra    int                `json:"extra"`    // rows that were scored by a value where there is none
	Example  ident.PredictionID `json:"example"`  // the first such row
	Served   float32            `json:"-"`        // there
	Again    float32            `json:"-"`
}

// hits is the number of rows that differ.
func (x *Skewed) hits() int { return x.Mismatch + x.Missing + x.Extra }

// Replay compares the features of the sampled rows with those that the pipeline makes of
// them now, and is how many rows it compared and the features that differ, in order. A
// row that cannot be read, or has another number of features, differs in all of them.
func Replay(f *pipeline.Fitted, rows []*prediction.Record) (compared int, out []Skewed, err error) {
	names := f.Names()
	all := make([]Skewed, len(names))
	note := func(k int, r *prediction.Record, count *int, served, again float32) {
		if *count++; all[k].hits() == 1 {
			all[k].Example, all[k].Served, all[k].Again = r.ID, served, again
		}
	}
	nan := float32(math.NaN())
	good, raw := make([]*prediction.Record, 0, len(rows)), make([]json.RawMessage, 0, len(rows))
	opts := frame.DecodeOptions{Required: f.Inputs()}
	for _, r := range rows {
		if len(r.Vector) != 4*len(names) || !readable(r.Row, opts) {
			for k := range names {
				note(k, r, &all[k].Mismatch, nan, nan)
			}
			continue
		}
		good, raw = append(good, r), append(raw, r.Row)
	}
	if len(good) > 0 {
		in, err := frame.DecodeRows(raw, opts)
		if err != nil {
			return 0, nil, err
		}
		m, _, err := f.Transform(in)
		if err != nil {
			return 0, nil, err
		}
		for i, r := range good {
			for k, again := range m.Row(i) {
				served := math.Float32frombits(binary.LittleEndian.Uint32(r.Vector[4*k:]))
				switch x := &all[k]; {
				case math.Float32bits(served) == math.Float32bits(again):
				case served != served:
					note(k, r, &x.Missing, served, again)
				case again != again:
					note(k, r, &x.Extra, served, again)
				default:
					note(k, r, &x.Mismatch, served, again)
				}
			}
		}
	}
	for k := range all {
		if all[k].Feature = names[k]; all[k].hits() > 0 {
			out = append(out, all[k])
		}
	}
	return len(rows), out, nil
}

// readable reports whether the row can be read as the pipeline's inputs.
func readable(row json.RawMessage, opts frame.DecodeOptions) bool {
	_, err := frame.DecodeRows([]json.RawMessage{row}, opts)
	return err == nil
}

// skew replays the sampled rows of one block that this version answered.
func (s *stepper) skew(rows []prediction.Joined, start, end time.Time) {
	if s.Pipeline == nil {
		return
	}
	var sampled []*prediction.Record
	for i := range rows {
		r := &rows[i].Record
		if len(r.Vector) > 0 && r.Version == s.Version && (r.Arm == prediction.Baseline) == s.Baseline {
			sampled = append(sampled, r)
		}
	}
	if len(sampled) == 0 {
		return
	}
	n, skewed, err := Replay(s.Pipeline, sampled)
	if err != nil {
		s.note("skew", "features", end, nil, "the sampled rows cannot be made into features again: %v", err)
		return
	}
	differ := map[string]bool{}
	for i, x := range skewed {
		s.out.Readings = append(s.out.Readings, Reading{
			Kind: Skew, Subject: x.Feature, Start: start, End: end, Rows: n, Value: float64(x.hits()) / float64(n),
		})
		if differ[x.Feature] = true; i < maxSkews {
			s.open(Finding{Kind: Skew, Subject: x.Feature, Severity: "warn", Opened: end, Text: x.sentence(n)},
				map[string]any{"skew": x, "rows": n, "start": start, "end": end})
		}
	}
	if len(skewed) == 0 {
		s.out.Readings = append(s.out.Readings, Reading{Kind: Skew, Subject: "features", Start: start, End: end, Rows: n, P: 1})
	}
	for _, name := range s.Pipeline.Names() {
		if !differ[name] && s.isOpen(Skew, name) {
			s.quiet(Skew, name, end, 3)
		}
	}
}

// sentence tells what differs, in n rows.
func (x *Skewed) sentence(n int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s is another in %d of %s that were made into features again", x.Feature, x.hits(), plural(n, "row"))
	for _, part := range []struct {
		n    int
		what string
	}{{x.Mismatch, "differ"}, {x.Missing, "were scored as missing"}, {x.Extra, "were scored by a value that is not there"}} {
		if part.n > 0 && part.n < x.hits() {
			fmt.Fprintf(&out, "; %d %s", part.n, part.what)
		}
	}
	fmt.Fprintf(&out, "; such as %s, scored by %v, now %v", x.Example, x.Served, x.Again)
	return out.String()
}
