// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"flyball/fault"
	"flyball/model"
	"flyball/model/registry"
)

// The grades of a version that was made again, the best first.
const (
	R3 = "R3" // every byte is equal
	R2 = "R2" // the golden rows score the same to the last bit
	R1 = "R1" // the golden rows score the same within the tolerance
	R0 = "R0" // another model
)

// Comparison is one input or output of a version, recorded and made again.
type Comparison struct {
	What     string `json:"what"`
	Recorded string `json:"recorded"`
	Again    string `json:"again"`
}

// Equal reports whether the two are the same.
func (c Comparison) Equal() bool { return c.Recorded == c.Again }

// Reproduction says how equal a version came out when it was made again.
type Reproduction struct {
	Grade    string       `json:"grade"`    // R3, R2, R1 or R0
	Expected string       `json:"expected"` // that its model file asks for
	Apart    float64      `json:"apart"`    // the largest difference of two golden scores
	Inputs   []Comparison `json:"inputs"`   // what it was made from: recorded, and as found here
	Outputs  []Comparison `json:"outputs"`  // what came out
	Machine  []Comparison `json:"machine"`  // where it was made, and where again
	Seconds  float64      `json:"seconds"`

	fits []fit // of a command
}

// Fallen reports whether the grade is below the one that is expected.
func (r Reproduction) Fallen() bool { return r.Grade < r.Expected }

// expected is the grade that a training must reach when it is made again.
func (s Settings) expected() string {
	switch {
	case s.Expect != "":
		return s.Expect
	case s.With == Command:
		return R1
	}
	return R3
}

// tolerance is how far golden scores may lie apart for R1.
func (s Settings) tolerance() float64 {
	if s.Tolerance > 0 {
		return s.Tolerance
	}
	return apartAtMost
}

// Reproduce is ReproduceAs once and for all: of a command nothing stays.
func (t *Trainer) Reproduce(ctx context.Context, v registry.Version, progress func(string)) (Reproduction, error) {
	out, err := t.ReproduceAs(ctx, v, fmt.Sprint(time.Now().UnixNano()), progress)
	t.Drop(context.WithoutCancel(ctx), out)
	return out, err
}

// Drop ends what still runs of a reproduction's command, and removes what is kept of it.
// It takes what ReproduceAs returned, with an error or without.
func (t *Trainer) Drop(ctx context.Context, r Reproduction) {
	if len(r.fits) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, canceling)
	defer stop()
	for _, f := range r.fits {
		if err := t.Executor.Cancel(ctx, f.handle); err != nil && !fault.Is(err, fault.NotFound) {
			t.Logger.Warn("a command goes on that nobody wants", "job", f.handle, "error", err)
		}
	}
	t.Forget(ctx, Result{fits: r.fits})
}

// ReproduceAs makes a version again from its record alone, a command in its Python
// environment (Interpreter), and grades it. It registers nothing. name is of this time:
// when a command was cut off from here, calling it again under the same name finds the
// run that goes on, or that ended; Drop when that is not wanted any more. A version whose data or code is not kept any more is a NotFound fault
// that says which.
func (t *Trainer) ReproduceAs(ctx context.Context, v registry.Version, name string, progress func(string)) (Reproduction, error) {
	raw, err := readBlob(ctx, t.Blobs, v.Record)
	if err != nil {
		return Reproduction{}, err
	}
	was, err := readRecord(raw)
	if err != nil {
		return Reproduction{}, err
	}
	lock, err := RecordedLock(ctx, t.Blobs, raw)
	if err != nil {
		return Reproduction{}, err
	}
	r, began := was.Request, time.Now()
	r.Key += "/again/" + name // a command runs anew: its first run, where it is still kept, proves nothing
	again := *t
	again.Tracker, again.Keeper = nil, nil
	res, err := again.run(ctx, r, was.In.Live, lock, progress)
	out := Reproduction{fits: res.fits}
	if err != nil {
		return out, err
	}
	if raw, err = readBlob(ctx, t.Blobs, res.Record); err != nil {
		return out, err
	}
	now, err := readRecord(raw)
	if err != nil {
		return out, err
	}
	out = Reproduction{fits: res.fits, Expected: r.Recipe.Train.expected(), Inputs: t.inputs(ctx, r, res)}
	out.Inputs = append(out.Inputs, splits(was.In.Split, now.In.Split)...)
	if out.Machine, err = t.machines(ctx, was, now, res.instead); err != nil {
		return out, err
	}
	out.Outputs = []Comparison{{"judged bundle", string(v.Judged), string(res.Judged)}, {"bundle", string(v.Bundle), string(res.Bundle)}}
	out.Outputs = append(out.Outputs, t.files(ctx, v.Bundle, res.Bundle)...)
	out.Outputs = append(out.Outputs, told(Comparison{"predictions on the test rows", string(was.In.Predictions), string(now.In.Predictions)})...)
	if out.Grade, out.Apart, err = t.grade(ctx, v, res, r.Recipe.Train.tolerance()); err != nil {
		return out, err
	}
	out.Seconds = time.Since(began).Seconds()
	t.Logger.Info("made a version again", "version", v.Ref.String(), "grade", out.Grade, "seconds", out.Seconds)
	return out, nil
}

// grade compares the bundles by their bytes, and where these differ the scores of the
// golden rows that were recorded.
func (t *Trainer) grade(ctx context.Context, v registry.Version, res Result, tolerance float64) (grade string, apart float64, err error) {
	if v.Bundle == res.Bundle && v.Judged == res.Judged {
		return R3, 0, nil
	}
	was, err := model.Open(ctx, t.Blobs, t.Decoders, v.Bundle)
	if err != nil {
		return "", 0, err
	}
	defer was.Close()
	now, err := model.Open(ctx, t.Blobs, t.Decoders, res.Bundle)
	if err != nil {
		return "", 0, err
	}
	defer now.Close()
	golden, err := was.Golden(ctx, t.Blobs)
	if err != nil {
		return "", 0, err
	}
	got, err := now.Predict(ctx, golden)
	if fault.Is(err, fault.Invalid) {
		return R0, math.Inf(1), nil // it takes other columns
	}
	if err != nil {
		return "", 0, err
	}
	equal := true
	for k := range max(got.Outputs, was.Outputs()) {
		want := golden.Column(fmt.Sprint(model.ScoreColumn, k))
		if want == nil || k >= got.Outputs {
			return R0, math.Inf(1), nil
		}
		for i := range golden.Rows() {
			a, b := got.Row(i)[k], want.Num[i]
			if math.Float64bits(a) != math.Float64bits(b) {
				equal = false
			}
			if d := math.Abs(a - b); d > apart || math.IsNaN(d) && math.IsNaN(a) != math.IsNaN(b) {
				apart = d
			}
		}
	}
	switch {
	case equal:
		return R2, 0, nil
	case apart <= tolerance:
		return R1, apart, nil
	}
	return R0, apart, nil
}

// inputs are what the version was made from: each digest that is recorded, and the digest
// of the bytes that are here.
func (t *Trainer) inputs(ctx context.Context, r Request, res Result) []Comparison {
	out := []Comparison{{"snapshot", string(r.Snapshot), string(res.Snapshot)}}
	for _, name := range slices.Sorted(maps.Keys(r.Code)) {
		d := r.Code[name].Digest
		here := string(d) // a store gives the bytes of a digest or none
		if ok, err := t.Blobs.Has(ctx, d); err != nil || !ok {
			here = "not here"
		}
		out = append(out, Comparison{"code " + name, string(d), here})
	}
	return out
}

// builderVersion is the version of Flyball that runs, and of Go that built it.
func builderVersion() map[string]string {
	out := map[string]string{"go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		out["flyball"] = info.Main.Version
	}
	return out
}

// Differences are the comparisons that are not equal, as "what: recorded, again".
func Differences(all []Comparison) []string {
	var out []string
	for _, c := range all {
		if !c.Equal() {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s: was %s, is %s", c.What, c.Recorded, c.Again)))
		}
	}
	return out
}
