// SPDX-License-Identifier: Apache-2.0

package shap

// walk is the room that one walk after another uses.
type walk struct {
	left           []bool
	state          []uint8 // of split i at i+1; at 0 a split that every row passes to the left
	products, sums []float64
}

// add adds what each feature of the row adds in this tree. It goes down the levels with
// the products and comes back with the sums of what lies below.
func (p *plan) add(w *walk, out []float64) {
	switch p.lanes {
	case 3:
		p.add3(w, out)
	case 4:
		p.add4(w, out)
	default:
		p.addAny(w, out)
	}
}

// ways gives the state of a split: by 4 where the row goes right, plus what its state at
// the last split on the same feature differs by from the way the path takes there. A
// table, because no processor guesses the ways of rows.
const ways = "\x00\x02\x02\x02\x01\x02\x02\x02"

// stateOf is the state of a split for the row.
func (w *walk) stateOf(s *split) uint8 {
	right := uint8(4)
	if w.left[s.node] {
		right = 0
	}
	return ways[(right|(w.state[s.same]^s.side))&7]
}

func (p *plan) add3(w *walk, out []float64) {
	const q, entry = 3, 6
	splits, state := p.splits, w.state[:len(p.splits)+1]
	products, sums := w.products[:len(p.splits)*q], w.sums[:len(p.splits)*q]
	edges, leaves := p.edges, p.leaves
	for i := range splits {
		s := &splits[i]
		st := w.stateOf(s)
		state[i+1] = st
		var a, b, c float64
		if i == 0 {
			a, b, c = p.weights[0], p.weights[1], p.weights[2]
		} else {
			f := (*[entry]float64)(edges[(i*states+int(state[s.parent+1]))*entry:])
			above := (*[q]float64)(products[s.parent*q:])
			a, b, c = above[0]*f[0], above[1]*f[1], above[2]*f[2]
		}
		mine := (*[q]float64)(products[i*q:])
		mine[0], mine[1], mine[2] = a, b, c
		sum := (*[q]float64)(sums[i*q:])
		if !s.leaf {
			*sum = [q]float64{}
			continue
		}
		k := (*[entry]float64)(leaves[(i*states+int(st))*entry:])
		sum[0], sum[1], sum[2] = a*k[0], b*k[1], c*k[2]
		out[s.feature] += a*k[3] + b*k[4] + c*k[5]
	}
	for i := len(splits) - 1; i > 0; i-- {
		s := &splits[i]
		f := (*[entry]float64)(edges[(i*states+int(state[s.parent+1]))*entry:])
		sum, above := (*[q]float64)(sums[i*q:]), (*[q]float64)(sums[s.parent*q:])
		a, b, c := sum[0], sum[1], sum[2]
		out[s.above] += a*f[3] + b*f[4] + c*f[5]
		above[0] += a
		above[1] += b
		above[2] += c
	}
}

func (p *plan) add4(w *walk, out []float64) {
	const q, entry = 4, 8
	splits, state := p.splits, w.state[:len(p.splits)+1]
	products, sums := w.products[:len(p.splits)*q], w.sums[:len(p.splits)*q]
	edges, leaves := p.edges, p.leaves
	for i := range splits {
		s := &splits[i]
		st := w.stateOf(s)
		state[i+1] = st
		var a, b, c, d float64
		if i == 0 {
			a, b, c, d = p.weights[0], p.weights[1], p.weights[2], p.weights[3]
		} else {
			f := (*[entry]float64)(edges[(i*states+int(state[s.parent+1]))*entry:])
			above := (*[q]float64)(products[s.parent*q:])
			a, b, c, d = above[0]*f[0], above[1]*f[1], above[2]*f[2], above[3]*f[3]
		}
		mine := (*[q]float64)(products[i*q:])
		mine[0], mine[1], mine[2], mine[3] = a, b, c, d
		sum := (*[q]float64)(sums[i*q:])
		if !s.leaf {
			*sum = [q]float64{}
			continue
		}
		k := (*[entry]float64)(leaves[(i*states+int(st))*entry:])
		sum[0], sum[1], sum[2], sum[3] = a*k[0], b*k[1], c*k[2], d*k[3]
		out[s.feature] += a*k[4] + b*k[5] + c*k[6] + d*k[7]
	}
	for i := len(splits) - 1; i > 0; i-- {
		s := &splits[i]
		f := (*[entry]float64)(edges[(i*states+int(state[s.parent+1]))*entry:])
		sum, above := (*[q]float64)(sums[i*q:]), (*[q]float64)(sums[s.parent*q:])
		a, b, c, d := sum[0], sum[1], sum[2], sum[3]
		out[s.above] += a*f[4] + b*f[5] + c*f[6] + d*f[7]
		above[0] += a
		above[1] += b
		above[2] += c
		above[3] += d
	}
}

func (p *plan) addAny(w *walk, out []float64) {
	q := p.lanes
	for i := range p.splits {
		s := &p.splits[i]
		st := w.stateOf(s)
		w.state[i+1] = st
		mine, sum := w.products[i*q:(i+1)*q], w.sums[i*q:(i+1)*q]
		if i == 0 {
			copy(mine, p.weights)
		} else {
			f := p.edges[(i*states+int(w.state[s.parent+1]))*2*q:]
			above := w.products[int(s.parent)*q:]
			for j := range mine {
				mine[j] = above[j] * f[j]
			}
		}
		if !s.leaf {
			clear(sum)
			continue
		}
		k := p.leaves[(i*states+int(st))*2*q:]
		k = k[:2*q]
		added := 0.0
		for j, v := range mine {
			sum[j] = v * k[j]
			added += v * k[q+j]
		}
		out[s.feature] += added
	}
	for i := len(p.splits) - 1; i > 0; i-- {
		s := &p.splits[i]
		worth := p.edges[(i*states+int(w.state[s.parent+1]))*2*q+q:]
		worth = worth[:q]
		sum, above := w.sums[i*q:(i+1)*q], w.sums[int(s.parent)*q:]
		added := 0.0
		for j, v := range sum {
			added += v * worth[j]
			above[j] += v
		}
		out[s.above] += added
	}
}
