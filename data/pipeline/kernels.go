// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"strings"
	"time"
	"unicode/utf8"

	"flyball/data/frame"
	"flyball/fault"
)

// apply runs the step over a batch, of one row or of many: there is no other code.
func (s *step) apply(b *batch) error {
	switch s.op {
	case opSelect:
		return nil
	case opExpr:
		return s.code.run(b, b.nums[s.outs[0]][:b.n])
	case opOneHot:
		s.oneHot(b)
		return nil
	case opDatetime:
		s.datetime(b)
		return nil
	case opHash:
		s.hash(b)
		return nil
	case opText:
		s.text(b)
		return nil
	case opTargetEncode:
		s.targetEncode(b)
		return nil
	case opInteractions:
		s.interact(b)
		return nil
	}
	at := 0
	for k := range s.in {
		in := &s.in[k]
		if in.Kind == frame.Text && s.op == opImpute {
			continue // the column says so itself
		}
		to := b.nums[s.outs[at]][:b.n]
		at++
		switch s.op {
		case opOrdinal:
			s.ordinal(b, k, to)
		case opImpute:
			impute(to, b.nums[in.slot], s.state.Fill[k])
		case opScale:
			scale(to, b.nums[in.slot], s.state.Center[k], s.state.Scale[k])
		case opClip:
			clip(to, b.nums[in.slot], s.spec.Min, s.spec.Max)
		case opLog:
			logarithm(to, b.nums[in.slot], s.spec.Strategy == "log1p")
		case opBucketize:
			bucketize(to, b.nums[in.slot], s.state.Edges[k])
		default:
			return fault.New(fault.Internal, "the operation %q has no kernel", s.spec.Op)
		}
	}
	return nil
}

func impute(to, from []float64, fill float64) {
	from = from[:len(to)]
	for i, x := range from {
		if x != x {
			x = fill
		}
		to[i] = x
	}
}

func scale(to, from []float64, center, scale float64) {
	from = from[:len(to)]
	for i, x := range from {
		to[i] = finite((x - center) / scale)
	}
}

func clip(to, from []float64, low, high *float64) {
	from = from[:len(to)]
	for i, x := range from {
		if low != nil && x < *low {
			x = *low
		}
		if high != nil && x > *high {
			x = *high
		}
		to[i] = x
	}
}

// bucketize counts the edges at or below each value.
func bucketize(to, from, edges []float64) {
	from = from[:len(to)]
	for i, x := range from {
		if x != x {
			to[i] = x
			continue
		}
		low, high := 0, len(edges)
		for low < high {
			if mid := int(uint(low+high) / 2); edges[mid] <= x {
				low = mid + 1
			} else {
				high = mid
			}
		}
		to[i] = float64(low)
	}
}

// place is the category's place: the last for the rare and the unseen, which are
// told.
func (s *step) place(b *batch, k, row int, word string) int {
	at, ok := s.words[k].at(word)
	if ok {
		return at
	}
	if !utf8.ValidString(word) {
		if at, ok = s.words[k].at(valid(word)); ok {
			return at
		}
	}
	b.unseen = append(b.unseen, Unseen{Row: b.first + row, Column: s.in[k].Name})
	return len(s.state.Kept[k])
}

// valid is the category as JSON can keep it: bytes that are not UTF-8 become U+FFFD.
func valid(word string) string { return strings.ToValidUTF8(word, "\ufffd") }

// oneHot sets the column of each row's category, or the one for all others, to one
// and the rest to zero; a missing value is zero in all.
func (s *step) oneHot(b *batch) {
	outs := s.outs
	for k := range s.in {
		in := &s.in[k]
		words := b.words[in.slot]
		if s.direct { // the matrix is zero already
			places, at := s.at[k], 0
			for row := range b.n {
				if word, ok := words.at(row, in.fill); ok {
					if f := places[s.place(b, k, row, word)]; f >= 0 {
						b.to[at+f] = 1
					}
				}
				at += b.cols
			}
			continue
		}
		n := len(s.state.Kept[k]) + 1
		for _, slot := range outs[:n] {
			clear(b.nums[slot][:b.n])
		}
		for row := range b.n {
			if word, ok := words.at(row, in.fill); ok {
				b.nums[outs[s.place(b, k, row, word)]][row] = 1
			}
		}
		outs = outs[n:]
	}
}

func (s *step) ordinal(b *batch, k int, to []float64) {
	in := &s.in[k]
	words := b.words[in.slot]
	for row := range to {
		to[row] = nan
		if word, ok := words.at(row, in.fill); ok {
			to[row] = float64(s.place(b, k, row, word))
		}
	}
}

// datetime writes the parts of the times, in UTC.
func (s *step) datetime(b *batch) {
	outs := s.outs
	for k := range s.in {
		for p, part := range s.spec.Parts {
			if s.spec.Cyclic {
				s.cycles[p].apply(b.nums[outs[0]][:b.n], b.nums[outs[1]][:b.n], b.times[s.in[k].slot])
				outs = outs[2:]
				continue
			}
			to := b.nums[outs[0]][:b.n]
			outs = outs[1:]
			for i, us := range b.times[s.in[k].slot] {
				if to[i] = nan; us != frame.NoTime {
					to[i] = datePart(time.UnixMicro(us).UTC(), part)
				}
			}
		}
	}
}

func datePart(t time.Time, part string) float64 {
	switch part {
	case "year":
		return float64(t.Year())
	case "month":
		return float64(t.Month())
	case "day":
		return float64(t.Day())
	case "weekday":
		return float64((int(t.Weekday()) + 6) % 7)
	case "hour":
		return float64(t.Hour())
	case "minute":
		return float64(t.Minute())
	}
	return float64(t.YearDay())
}
