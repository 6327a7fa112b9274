// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/counterfactual"
	"flyball/serving/prediction"
)

// flips finds the smallest changes of the row that flip the decision of the version that
// answered it, within the rules of the model file as it stands now, by way of the
// version's golden rows.
func (s *Service) flips(ctx context.Context, r *prediction.Record, out *Explained) error {
	if r.Arm == prediction.Fallback {
		return fault.New(fault.Refused, "no version answered, but the fallback of the model file")
	}
	m, err := s.Model(ctx, r.Model)
	if err != nil {
		return err
	}
	ref := refOf(r)
	loan, err := s.opts.Serving.Lend(ctx, ident.Name{Model: ref.Model, Version: ref.Version})
	if err != nil {
		return fmt.Errorf("%s cannot be asked: %w", ref, err)
	}
	defer loan.Back()
	b := loan.Bundle
	row, err := frame.DecodeRows([]json.RawMessage{r.Row}, frame.DecodeOptions{Required: b.Inputs()})
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s cannot take the row", ref)
	}
	others, err := b.Golden(ctx, s.opts.Blobs)
	if err != nil {
		return err
	}
	got, err := counterfactual.Find(ctx, b, m.Flip, row, others)
	if err != nil {
		return err
	}
	if out.Flips = got.Flips; len(got.Flips) == 0 {
		return fault.New(fault.Refused, "none of %d changes within the rules of the model file flips it", got.Evaluations)
	}
	return nil
}
