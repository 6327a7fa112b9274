// SPDX-License-Identifier: Apache-2.0

package evaluation

// Part is the rows of a sample that share a value of a slice column.
type Part struct {
	Name   string // column=value
	Sample Sample // the rows, with no slices of its own
}

// Slices cuts the sample by each of its slice columns, in the order in which values
// first appear. Rows with an empty value belong to no part; a column of another
// length than the rows is left out.
func Slices(s Sample) []Part {
	var parts []Part
	n := len(s.Truth)
	for _, c := range s.Slices {
		if len(c.Values) != n {
			continue
		}
		rows := map[string][]int{}
		var order []string
		for i, v := range c.Values {
			if v == "" {
				continue
			}
			if rows[v] == nil {
				order = append(order, v)
			}
			rows[v] = append(rows[v], i)
		}
		for _, v := range order {
			parts = append(parts, Part{Name: c.Name + "=" + v, Sample: s.Take(rows[v])})
		}
	}
	return parts
}

// Take is the sample of these rows, in this order, with no slices of its own.
func (s Sample) Take(rows []int) Sample {
	n := len(s.Truth)
	out := Sample{Kind: s.Kind, Classes: s.Classes, Decide: s.Decide, Costs: s.Costs, Run: s.Run, Scores: map[string][]float64{}}
	for _, r := range rows {
		out.Truth = append(out.Truth, s.Truth[r])
		if len(s.Weight) == n {
			out.Weight = append(out.Weight, s.Weight[r])
		}
		if len(s.Block) == n {
			out.Block = append(out.Block, s.Block[r])
		}
	}
	for role, scores := range s.Scores {
		width := len(scores) / n
		for _, r := range rows {
			out.Scores[role] = append(out.Scores[role], scores[r*width:(r+1)*width]...)
		}
	}
	return out
}
