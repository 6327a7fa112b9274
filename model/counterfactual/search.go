// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"flyball/data/frame"
)

// try scores the row with each of the changes, and keeps those that flip it.
func (s *search) try(changes []map[int]value) ([]candidate, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	if s.ctx.Err() != nil {
		return nil, context.Cause(s.ctx)
	}
	n := len(changes)
	cols := make([]frame.Column, len(s.columns))
	for k := range s.columns {
		cols[k] = repeated(&s.columns[k], n)
	}
	for i, to := range changes {
		for k, v := range to {
			if cols[k].Kind == frame.Number {
				cols[k].Num[i] = v.num
				continue
			}
			cols[k].Text[i] = v.text
			if cols[k].Null != nil {
				cols[k].Null[i] = false
			}
		}
	}
	got, err := s.model.Predict(s.ctx, frame.WithRows(n, cols...))
	if err != nil {
		return nil, err
	}
	s.evaluations += n
	var out []candidate
	for i, to := range changes {
		if s.model.Decision(got.Row(i)) != s.was {
			out = append(out, candidate{to, slices.Clone(got.Row(i))})
		}
	}
	return out, nil
}

// repeated is the one row of a column n times.
func repeated(c *frame.Column, n int) frame.Column {
	return frame.WithRows(1, *c).Take(make([]int, n)).Columns()[0]
}

// alone tries each column by itself, with each value that another row has there.
func (s *search) alone() ([]candidate, error) {
	var found []candidate
	for k := range s.columns {
		var changes []map[int]value
		seen := map[value]bool{}
		for i := range s.pool[k].Len() {
			v := at(&s.pool[k], i)
			if s.allowed(k, v) && !seen[v] {
				seen[v] = true
				changes = append(changes, map[int]value{k: v})
			}
		}
		flipped, err := s.try(changes)
		if err != nil {
			return nil, err
		}
		if c, ok := s.nearest(flipped); ok {
			found = append(found, c)
		}
	}
	return found, nil
}

func (s *search) nearest(of []candidate) (candidate, bool) {
	if len(of) == 0 {
		return candidate{}, false
	}
	return slices.MinFunc(of, func(a, b candidate) int { return cmp.Compare(s.distance(a.to), s.distance(b.to)) }), true
}

// towards begins at the nearest of the other rows that are decided otherwise, and gives
// back what is not needed.
func (s *search) towards() ([]candidate, error) {
	var changes []map[int]value
	for i := range s.pool[0].Len() {
		to := map[int]value{}
		for k := range s.columns {
			if v := at(&s.pool[k], i); s.allowed(k, v) {
				to[k] = v
			}
		}
		if len(to) > 0 {
			changes = append(changes, to)
		}
	}
	found, err := s.try(changes)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(s.distance(a.to), s.distance(b.to)) })
	found = found[:min(len(found), starts)]
	for i := range found {
		if err := s.giveBack(&found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// giveBack leaves changes out, the costliest first, as long as the row stays flipped.
func (s *search) giveBack(c *candidate) error {
	for len(c.to) > 1 {
		var changes []map[int]value
		for _, k := range slices.Sorted(maps.Keys(c.to)) {
			less := maps.Clone(c.to)
			delete(less, k)
			changes = append(changes, less)
		}
		flipped, err := s.try(changes)
		if err != nil {
			return err
		}
		best, ok := s.nearest(flipped)
		if !ok {
			return nil
		}
		*c = best
	}
	return nil
}

// shorten moves each number as near to what it was as the flip allows, and then to a
// round number beside it.
func (s *search) shorten(c *candidate) error {
	for _, k := range slices.Sorted(maps.Keys(c.to)) {
		now := at(&s.columns[k], 0)
		if s.columns[k].Kind != frame.Number || now.missing || math.IsInf(now.num, 0) {
			continue
		}
		if err := s.halve(c, k, now.num); err != nil {
			return err
		}
		if err := s.round(c, k, now.num); err != nil {
			return err
		}
	}
	return nil
}

const halvings = 16

// halve looks for the edge between the row's number, which stays, and the candidate's,
// which flips.
func (s *search) halve(c *candidate, k int, stays float64) error {
	for range halvings {
		flips := c.to[k].num
		middle := stays + (flips-stays)/2
		if s.whole[k] {
			middle = math.Trunc(middle)
		}
		if middle == stays || middle == flips {
			return nil
		}
		ok, err := s.move(c, k, middle)
		if err != nil {
			return err
		}
		if !ok {
			stays = middle
		}
	}
	return nil
}

// round takes the number with the fewest digits that flips, too, and lies at most a
// twentieth of the way from the edge, on either side of it.
func (s *search) round(c *candidate, k int, now float64) error {
	edge := c.to[k].num
	room := math.Abs(edge-now) / 20
	if s.whole[k] || room == 0 {
		return nil
	}
	step := math.Pow(10, math.Ceil(math.Log10(room)))
	for range 4 {
		near, far := math.Floor(edge/step)*step, math.Ceil(edge/step)*step
		if edge < now {
			near, far = far, near
		}
		for _, v := range []float64{near, far} {
			if math.Abs(v-edge) > room || !s.allowed(k, value{num: v}) {
				continue
			}
			if ok, err := s.move(c, k, v); ok || err != nil {
				return err
			}
		}
		step /= 10
	}
	return nil
}

// move puts a number in column k of the candidate if the row stays flipped.
func (s *search) move(c *candidate, k int, v float64) (bool, error) {
	to := maps.Clone(c.to)
	to[k] = value{num: v}
	flipped, err := s.try([]map[int]value{to})
	if err != nil || len(flipped) == 0 {
		return false, err
	}
	*c = flipped[0]
	return true, nil
}
