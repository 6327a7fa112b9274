// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
	"flyball/governance/maturity"
	"flyball/ident"
	"flyball/model"
	"flyball/model/registry"
	"flyball/serving/prediction"
)

// drillRows is how many of the newest rows that a version answered it must answer again.
const drillRows = 200

// Drill proves the way back of a model, and moves nothing: the version that a rollback
// would bring back is opened from its bytes and warmed, and has to answer rows that it
// answered before to the last bit. What came of it is kept either way. A Conflict fault
// where there is no version to go back to, or another drill is under way.
func (s *Service) Drill(ctx context.Context, name string) (maturity.Drill, error) {
	d := maturity.Drill{ID: "drill " + string(ident.NewRunID())[:12], Model: name, At: s.opts.Now(), By: access.Actor(ctx)}
	if _, err := s.Model(ctx, name); err != nil {
		return d, err
	}
	st, _, err := s.opts.Store.Release(ctx, name)
	if err != nil {
		return d, err
	}
	if _, can := st.Rollback(d.By, "a drill", d.At); !can || st.Live == 0 {
		return d, fault.New(fault.Conflict, "there is nothing of %s to go back to", name).Do("see flyball releases %s", name)
	}
	d.From, d.Back = st.Candidate, st.Live
	v, err := s.opts.Store.Version(ctx, ident.Ref{Model: name, Version: d.Back})
	if err != nil {
		return d, err
	}
	kept, err := s.answered(ctx, v.Ref, drillRows)
	if err != nil {
		return d, err
	}
	if !s.drilling.TryLock() {
		return d, fault.New(fault.Conflict, "another drill is under way, and there may be no memory for two").Do("try again when it is over")
	}
	defer s.drilling.Unlock()
	began := time.Now() // what it takes is by the machine's clock
	err = s.tryBack(ctx, v, kept)
	if ctx.Err() != nil {
		return d, ctx.Err()
	}
	if d.Rows, d.Took = len(kept), time.Since(began).Seconds(); err != nil {
		d.Why = strings.Join(strings.Fields(err.Error()), " ")
	}
	rec := audit.Record{At: d.At, Actor: d.By, Action: "drill", Object: v.Ref.String(), Why: d.Text()}
	ev := event.Event{At: d.At, Model: name, By: d.By, Mark: event.OK, Kind: "drill", Text: d.Text(), Command: "flyball rollback " + name + " --drill"}
	if !d.Holds() {
		ev.Mark = event.Stop
	}
	return d, s.opts.Store.AddDrill(ctx, d, rec, ev)
}

// answered are the newest n predictions that a version answered.
func (s *Service) answered(ctx context.Context, ref ident.Ref, n int) (out []prediction.Record, err error) {
	err = s.opts.Log.Scan(ctx, prediction.Query{Model: ref.Model, Version: ref.Version, Last: n}, func(j prediction.Joined) error {
		out = append(out, j.Record)
		return nil
	})
	return out, err
}

// tryBack makes the version ready and has it answer again; the error says why it could
// not be gone back to. The rows are asked one by one, as callers do: how many are asked at
// once may move a bit.
func (s *Service) tryBack(ctx context.Context, v registry.Version, kept []prediction.Record) (err error) {
	b, err := model.Ready(ctx, s.opts.Blobs, s.opts.Decoders, v.Bundle)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if len(kept) == 0 {
		return fmt.Errorf("the log holds no row that v%d answered, so nothing shows that it answers as before", v.Version)
	}
	for i := range kept {
		_, scores, err := answerAgain(ctx, b, v.Ref, kept[i].Row)
		if err != nil {
			return fmt.Errorf("prediction %s: %w", kept[i].ID, err)
		}
		if why := differ(kept[i].Scores, scores); why != "" {
			return fmt.Errorf("prediction %s is answered otherwise: %s", kept[i].ID, why)
		}
	}
	return nil
}
