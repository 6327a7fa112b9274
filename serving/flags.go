// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"slices"

	"flyball/model"
	"flyball/model/unusual"
	"flyball/serving/prediction"
)

// flags notes the categories that the version that the caller has a right to had not
// met, and what is unusual of each row to the version that answered it.
func (b *batch) flags(records []prediction.Record) {
	if judge := b.entry.main(); judge != nil {
		met(records, b.score(judge))
	}
	for _, s := range b.done {
		b.unusual(records, s)
	}
	inOrder(records)
}

func inOrder(records []prediction.Record) {
	for i := range records {
		if len(records[i].Flags) > 1 {
			slices.Sort(records[i].Flags)
		}
	}
}

// met notes the categories that a version had not met.
func met(records []prediction.Record, s *scored) {
	for _, u := range s.Unseen {
		records[u.Row].Flags = flag(records[u.Row].Flags, unusual.Unseen+u.Column)
	}
}

// unusual notes what the version finds unusual of those of the records that it answered.
func (b *batch) unusual(records []prediction.Record, s *scored) {
	usual := s.bundle.Usual()
	if usual == nil || s.err != nil {
		return
	}
	var room [8]string
	rows := usual.On(s.rows)
	for i := range records {
		r := &records[i]
		if b.entry.bundle(r) != s.bundle {
			continue
		}
		for _, f := range rows.Flags(i, room[:0]) {
			r.Flags = flag(r.Flags, f)
		}
		if usual.Confidence.Unsure(r.Scores) {
			r.Flags = flag(r.Flags, unusual.Unsure)
		}
	}
}

// disagree notes that another version that scored the record says something else: the
// live one, one under release, or one that was live before. The baseline is no voice.
func (b *batch) disagree(r *prediction.Record) {
	by := b.entry.bundle(r)
	if by == nil || by.Usual() == nil || r.Arm == prediction.Baseline {
		return
	}
	for i := range r.Others {
		if o := &r.Others[i]; o.Role != prediction.Baseline && apart(by, r, o) {
			r.Flags = flag(slices.Clone(r.Flags), unusual.Disagreeing) // the caller may have the others already
			slices.Sort(r.Flags)
		}
	}
}

// apart reports whether the other's answer is another one.
func apart(by *model.Bundle, r *prediction.Record, o *prediction.Other) bool {
	switch {
	case len(o.Scores) == 0 || len(o.Scores) != len(r.Scores):
		return false
	case r.Decision != "" && o.Decision != "":
		return r.Decision != o.Decision
	}
	return len(r.Scores) == 1 && by.Usual().Confidence.Apart(r.Scores[0], o.Scores[0])
}

// flag adds a flag that is not there yet.
func flag(flags []string, f string) []string {
	if slices.Contains(flags, f) {
		return flags
	}
	return append(flags, f)
}
