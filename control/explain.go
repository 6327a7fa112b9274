// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/counterfactual"
	"flyball/model/registry"
	"flyball/serving"
	"flyball/serving/prediction"
)

// Explained is one prediction of the log: what it was, why, and whether its version
// still says the same.
type Explained struct {
	Model    string              `json:"model"`
	ID       ident.PredictionID  `json:"id"`
	Key      string              `json:"key,omitempty"`
	Time     time.Time           `json:"time"`
	At       time.Time           `json:"at"`
	Version  int                 `json:"version" doc:"that answered; 0 for the fallback"`
	Arm      string              `json:"arm"`
	Scores   []float64           `json:"scores"`
	Classes  []string            `json:"classes,omitempty"`
	Decision string              `json:"decision,omitempty"`
	Decide   *dataset.Decision   `json:"decide,omitempty" doc:"the rule that made the decision of the score"`
	Flags    []string            `json:"flags,omitempty" doc:"what was unusual about the row"`
	Truth    *string             `json:"truth,omitempty"`
	Kept     *prediction.Reasons `json:"kept,omitempty" doc:"the reasons that were kept with the prediction"`

	Of
	Replay  Replay   `json:"replay"`
	Against *Against `json:"against,omitempty"`

	Flips       []counterfactual.Flip `json:"flips,omitempty" doc:"the smallest changes that would flip the decision, where they were asked for"`
	Unflippable string                `json:"unflippable,omitempty" doc:"why there are none"`
}

// Ask is what is asked of a prediction besides its reasons.
type Ask struct {
	Against string // a version to compare with on the same row: a number, an alias, or a reference; empty: none
	Flip    bool   // the smallest changes that would flip its decision
}

// Of is why a version gives a row its score.
type Of struct {
	Reasons     *prediction.Reasons `json:"reasons,omitempty" doc:"worked out now, of all columns"`
	Evaluations int                 `json:"evaluations,omitempty" doc:"rows scored to find them; 0: exact"`
	Unexplained string              `json:"unexplained,omitempty" doc:"why there are no reasons"`
}

// Replay is the row scored again by the version that answered it.
type Replay struct {
	Equal  bool      `json:"equal" doc:"the scores are equal to the last bit"`
	Scores []float64 `json:"scores,omitempty"`
	Why    string    `json:"why,omitempty" doc:"where they are not equal, or why it could not be scored"`
}

// Against is another version on the same row.
type Against struct {
	Ref         string       `json:"ref"`
	Scores      []float64    `json:"scores"`
	Decision    string       `json:"decision,omitempty"`
	Differences []Difference `json:"differences" doc:"the greatest first; base is named base"`
	Note        string       `json:"note,omitempty" doc:"why the numbers of the two do not compare"`
	Of
}

// Difference is what a column adds in one version and in another.
type Difference struct {
	Feature    string          `json:"feature"`
	Value      json.RawMessage `json:"value,omitempty"`
	Here       float64         `json:"here" doc:"in the version that answered"`
	There      float64         `json:"there" doc:"in the other"`
	Difference float64         `json:"difference" doc:"there less here"`
}

// Explain says why a prediction was what it was. name is its id, or the caller's key:
// then it is the newest of that key. A prediction that the log does not hold is a NotFound
// fault.
func (s *Service) Explain(ctx context.Context, model, name string, ask Ask) (Explained, error) {
	j, err := s.find(ctx, model, name)
	if err != nil {
		return Explained{}, err
	}
	out := Explained{
		Model: model, ID: j.ID, Key: j.Key, Time: j.Time, At: j.At, Version: j.Version, Arm: j.Arm,
		Scores: j.Scores, Decision: j.Decision, Flags: j.Flags,
	}
	if j.Label != nil {
		out.Truth = &j.Label.Value
	}
	if out.Kept, err = j.Why(); err != nil {
		return Explained{}, err
	}
	if out.Kept != nil {
		serving.Values(out.Kept, j.Row)
	}
	if j.Arm == prediction.Fallback {
		out.Unexplained = "no version answered, but the fallback of the model file"
		out.Replay.Why = out.Unexplained
	} else if err := s.replay(ctx, &j.Record, &out); err != nil {
		out.Unexplained, out.Replay.Why = err.Error(), err.Error()
	}
	if ask.Flip {
		if err := s.flips(ctx, &j.Record, &out); err != nil {
			out.Unflippable = err.Error()
		}
	}
	if ask.Against == "" {
		return out, nil
	}
	out.Against, err = s.against(ctx, &j.Record, &out, ask.Against)
	return out, err
}

// find is the prediction of an id, or else the newest of a key.
func (s *Service) find(ctx context.Context, model, name string) (prediction.Joined, error) {
	var found []prediction.Joined
	look := func(q prediction.Query) error {
		q.Model, q.Reasons, q.Last = model, true, 1
		return s.opts.Log.Scan(ctx, q, func(j prediction.Joined) error { found = append(found, j); return nil })
	}
	if err := s.Known(ctx, model); err != nil {
		return prediction.Joined{}, err
	}
	if _, ok := ident.PredictionID(name).Time(); ok {
		if err := look(prediction.Query{ID: ident.PredictionID(name)}); err != nil {
			return prediction.Joined{}, err
		}
	}
	if len(found) == 0 {
		if err := look(prediction.Query{Key: name}); err != nil {
			return prediction.Joined{}, err
		}
	}
	if len(found) == 0 {
		return prediction.Joined{}, fault.New(fault.NotFound, "the log of %s holds no prediction with the id or key %q", model, name).
			Do("see flyball predictions %s; what a version was asked by its number is not kept", model)
	}
	return found[0], nil
}

// refOf is the version that answered.
func refOf(r *prediction.Record) ident.Ref {
	if r.Arm == prediction.Baseline {
		return ident.Ref{Model: registry.BaselineOf(r.Model), Version: r.Version}
	}
	return ident.Ref{Model: r.Model, Version: r.Version}
}

// replay scores and explains the row by the version that answered it.
func (s *Service) replay(ctx context.Context, r *prediction.Record, out *Explained) error {
	return s.scored(ctx, refOf(r), r.Row, func(b *model.Bundle, scores []float64, of Of) {
		out.Of, out.Replay.Scores = of, scores
		out.Classes, out.Decide = b.Manifest.Classes, b.Manifest.Decide
		out.Replay.Why = differ(r.Scores, scores)
		out.Replay.Equal = out.Replay.Why == ""
	})
}

// differ says where scores are not equal to the last bit; empty: nowhere.
func differ(was, now []float64) string {
	if len(was) != len(now) {
		return fmt.Sprintf("there were %d scores, and are %d now", len(was), len(now))
	}
	for k := range was {
		if math.Float64bits(was[k]) != math.Float64bits(now[k]) {
			return fmt.Sprintf("score %d was %v and is %v now", k, was[k], now[k])
		}
	}
	return ""
}

// scored lends a version and has it score and explain one row.
func (s *Service) scored(ctx context.Context, ref ident.Ref, row json.RawMessage, use func(b *model.Bundle, scores []float64, of Of)) error {
	loan, err := s.opts.Serving.Lend(ctx, ident.Name{Model: ref.Model, Version: ref.Version})
	if err != nil {
		return fmt.Errorf("%s cannot be asked: %w", ref, err)
	}
	defer loan.Back()
	b := loan.Bundle
	rows, scores, err := answerAgain(ctx, b, ref, row)
	if err != nil {
		return err
	}
	var of Of
	e, err := b.Explain(ctx, rows)
	if err == nil {
		of.Evaluations = e.Evaluations
		if of.Reasons = serving.Reasons(b, &e, 0, scores, len(e.Columns)); of.Reasons == nil {
			err = fault.New(fault.Invalid, "its contributions are not finite")
		}
	}
	if err != nil {
		of.Unexplained = err.Error()
	} else {
		of.Reasons.Version = ref.Version
		serving.Values(of.Reasons, row)
	}
	use(b, scores, of)
	return nil
}

// answerAgain has a version score a row as it was sent; rows is that row alone.
func answerAgain(ctx context.Context, b *model.Bundle, ref ident.Ref, row json.RawMessage) (rows *frame.Frame, scores []float64, err error) {
	if rows, err = frame.DecodeRows([]json.RawMessage{row}, frame.DecodeOptions{Required: b.Inputs()}); err != nil {
		return nil, nil, fmt.Errorf("%s cannot take the row: %w", ref, err)
	}
	got, err := b.Predict(ctx, rows)
	if err != nil {
		return nil, nil, fmt.Errorf("%s does not score the row: %w", ref, err)
	}
	return rows, slices.Clone(got.Row(0)), nil
}

// against explains the row by another version and says where the two differ.
func (s *Service) against(ctx context.Context, r *prediction.Record, here *Explained, name string) (*Against, error) {
	ref, err := s.version(ctx, r.Model, name)
	if err != nil {
		return nil, err
	}
	out := &Against{Ref: ref.String()}
	err = s.scored(ctx, ref, r.Row, func(b *model.Bundle, scores []float64, of Of) {
		out.Scores, out.Of, out.Decision = scores, of, b.Decision(scores)
	})
	if err != nil {
		return nil, err
	}
	if here.Reasons == nil || out.Reasons == nil {
		out.Note = "one of the two has no reasons"
		return out, nil
	}
	if here.Reasons.Space != out.Reasons.Space {
		out.Note = fmt.Sprintf("one counts in %s, the other in %s", here.Reasons.Space, out.Reasons.Space)
	}
	if here.Reasons.Class != out.Reasons.Class {
		out.Note = fmt.Sprintf("one says %s, the other %s: the reasons are of different classes", here.Reasons.Class, out.Reasons.Class)
	}
	out.Differences = differences(here.Reasons, out.Reasons)
	return out, nil
}

// version is the version that a name means: a number, an alias or a reference.
func (s *Service) version(ctx context.Context, model, name string) (ident.Ref, error) {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "@")); err == nil && n > 0 {
		return ident.Ref{Model: model, Version: n}, nil
	}
	if !strings.Contains(name, "@") {
		name = model + "@" + name
	}
	n, err := ident.ParseName(name)
	if err != nil {
		return ident.Ref{}, err
	}
	if n.Version != 0 {
		return ident.Ref{Model: n.Model, Version: n.Version}, nil
	}
	return s.opts.Store.Alias(ctx, n.Model, n.Alias)
}

// differences are what columns add in one version and in another, the greatest
// difference first.
func differences(here, there *prediction.Reasons) []Difference {
	at := map[string]int{}
	out := []Difference{{Feature: "base", Here: here.Base, There: there.Base}}
	for _, r := range here.Top {
		at[r.Feature] = len(out)
		out = append(out, Difference{Feature: r.Feature, Value: r.Value, Here: r.Contribution})
	}
	for _, r := range there.Top {
		if i, ok := at[r.Feature]; ok {
			out[i].There = r.Contribution
		} else {
			out = append(out, Difference{Feature: r.Feature, Value: r.Value, There: r.Contribution})
		}
	}
	for i := range out {
		out[i].Difference = out[i].There - out[i].Here
	}
	slices.SortStableFunc(out, func(a, b Difference) int {
		switch x, y := math.Abs(a.Difference), math.Abs(b.Difference); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out
}
