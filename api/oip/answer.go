// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving"
	"flyball/serving/prediction"
)

// output is a tensor of an answer; one of nums, words and ints is set.
type output struct {
	name   string
	shape  []int64
	nums   []float64 // FP64; NaN: nothing could say
	words  []string  // BYTES
	ints   []int64   // INT64
	binary bool      // in REST: after the JSON
}

func (o *output) datatype() datatype {
	switch {
	case o.words != nil:
		return texts
	case o.ints != nil:
		return int64s
	}
	return fp64
}

// result is an answer in no encoding yet.
type result struct {
	model      string
	version    int // that answered the first row; 0: the fallback did
	id         string
	arm        string // the arms that answered, with commas
	generation int64  // of the route; 0: none decided
	versions   string // of the rows, with commas, where they differ
	outputs    []output
}

// nameOf is the model that a request names: its version is a number, an alias or empty.
func nameOf(model, version string) (ident.Name, error) {
	n := ident.Name{Model: model}
	switch v, err := strconv.Atoi(version); {
	case model == "":
		return n, fault.New(fault.Invalid, "the request names no model")
	case version == "":
	case err != nil:
		n.Alias = version
	case v <= 0:
		return n, fault.New(fault.Invalid, "%s is no version", clip([]byte(version))).Do("versions are numbered from 1")
	default:
		n.Version = v
	}
	return n, nil
}

// schema is what the model takes and gives. It may load the version.
func (f *Face) schema(ctx context.Context, n ident.Name) (schema, int, error) {
	l, err := f.Serving.Lend(ctx, n)
	if err != nil {
		return schema{}, 0, err
	}
	defer l.Back()
	return f.schemaOf(n.Model, l), l.Version, nil
}

func (f *Face) schemaOf(model string, l serving.Loan) schema {
	if !l.Routed {
		return schemaOf(l.Bundle, false, nil)
	}
	e, _ := f.Serving.Entry(model)
	return schemaOf(l.Bundle, true, &e.Task)
}

// infer answers a request: every encoding comes here.
func (f *Face) infer(ctx context.Context, n ident.Name, req *request) (_ *result, err error) {
	began := time.Now()
	if req.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(req.timeout, math.MaxInt64/1000))*time.Microsecond)
		defer cancel()
	}
	s, at, err := f.schema(ctx, n)
	if err != nil {
		return nil, err
	}
	call := f.stats.of(n.Model, at)
	defer func() { call.took(began, err) }()
	if err := s.known(req.outputs); err != nil {
		return nil, err
	}
	rows, err := s.frame(req.tensors)
	if err != nil {
		return nil, err
	}
	read := time.Now()
	ask := serving.Ask(n)
	ask.Frame = rows
	a, err := f.Serving.Predict(ctx, ask)
	if err != nil {
		return nil, err
	}
	call.scored(len(a.Records), read.Sub(began), time.Since(read))
	return s.result(req, a)
}

// The outputs. The first two are the usual ones; the others are given when asked for.
const (
	valueOutput    = "value"
	scoresOutput   = "scores"
	decisionOutput = "decision"
	idOutput       = "id"
	armOutput      = "arm"
	versionOutput  = "version"
)

// score is the output of the numbers: value where a row has one, scores else.
func (s *schema) score() string {
	if s.scores == 1 {
		return valueOutput
	}
	return scoresOutput
}

// usual are the outputs that are given when none is asked for.
func (s *schema) usual() []string {
	if s.decides {
		return []string{s.score(), decisionOutput}
	}
	return []string{s.score()}
}

// gives reports whether the model has an output of the name.
func (s *schema) gives(name string) bool {
	switch name {
	case idOutput, armOutput, versionOutput:
		return s.routed
	}
	return slices.Contains(s.usual(), name)
}

// known refuses outputs that the model does not have.
func (s *schema) known(outputs []asked) error {
	for i, o := range outputs {
		if !s.gives(o.name) {
			return fault.New(fault.Invalid, "the model has no %s", quoted("output", o.name)).Do("ask for %s", strings.Join(s.usual(), ", "))
		}
		if slices.ContainsFunc(outputs[:i], func(p asked) bool { return p.name == o.name }) {
			return fault.New(fault.Invalid, "%s is asked for twice", quoted("output", o.name))
		}
	}
	return nil
}

// result makes the outputs that are asked for. An answer without any score is an
// Unavailable fault: nothing could answer, and the model file names no fallback.
func (s *schema) result(req *request, a serving.Answer) (*result, error) {
	scored := slices.ContainsFunc(a.Records, func(r prediction.Record) bool { return len(r.Scores) > 0 })
	words := !scored && slices.ContainsFunc(a.Records, func(r prediction.Record) bool { return r.Decision != "" })
	if !scored && !words {
		return nil, fault.New(fault.Unavailable, "no version of %s could answer, and its model file names no fallback", a.Model)
	}
	out := &result{model: a.Model, version: a.Version, id: req.id, generation: a.Generation}
	out.arm, out.versions = spread(a.Records)
	want := req.outputs
	if words { // a model of texts alone
		want = []asked{{name: decisionOutput}}
	}
	if want == nil {
		for _, name := range s.usual() {
			want = append(want, asked{name: name})
		}
	}
	for _, w := range want {
		o := s.output(w.name, a.Records)
		o.binary = w.binary || !w.said && req.binary
		out.outputs = append(out.outputs, o)
	}
	return out, nil
}

// spread is which arms answered, and which versions where not all rows have the same.
func spread(rs []prediction.Record) (arms, versions string) {
	arm, version, same := []string{rs[0].Arm}, []string{}, true
	for i := range rs {
		if !slices.Contains(arm, rs[i].Arm) {
			arm = append(arm, rs[i].Arm)
		}
		same = same && rs[i].Version == rs[0].Version
	}
	if same {
		return strings.Join(arm, ","), ""
	}
	for i := range rs {
		if v := strconv.Itoa(rs[i].Version); !slices.Contains(version, v) {
			version = append(version, v)
		}
	}
	return strings.Join(arm, ","), strings.Join(version, ",")
}

// output makes one output of the records.
func (s *schema) output(name string, rs []prediction.Record) output {
	o := output{name: name, shape: []int64{int64(len(rs))}}
	word := func(of func(r *prediction.Record) string) output {
		o.words = make([]string, len(rs))
		for i := range rs {
			o.words[i] = of(&rs[i])
		}
		return o
	}
	switch name {
	case decisionOutput:
		return word(func(r *prediction.Record) string { return r.Decision })
	case idOutput:
		return word(func(r *prediction.Record) string { return string(r.ID) })
	case armOutput:
		return word(func(r *prediction.Record) string { return r.Arm })
	case versionOutput:
		o.ints = make([]int64, len(rs))
		for i := range rs {
			o.ints[i] = int64(rs[i].Version)
		}
		return o
	}
	if s.scores != 1 {
		o.shape = append(o.shape, int64(s.scores))
	}
	o.nums = make([]float64, len(rs)*s.scores)
	for i := range rs {
		row := o.nums[i*s.scores : (i+1)*s.scores]
		if copy(row, rs[i].Scores) < len(row) {
			for k := range row {
				row[k] = math.NaN() // the fallback has no score of each class
			}
		}
	}
	return o
}

// platform is the word for a model's format, as metadata has it.
func (s *schema) platform() string {
	switch s.format {
	case "model.json":
		return "flyball_xgboost"
	case "model.txt":
		return "flyball_lightgbm"
	case "model.onnx":
		return "flyball_onnx"
	case "linear.json":
		return "flyball_linear"
	case "constant.json":
		return "flyball_constant"
	case "worker.json":
		return "flyball_python"
	}
	return "flyball"
}
