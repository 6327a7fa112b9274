// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"strings"

	"flyball/fault"
)

// Model is a LightGBM model, ready to score. It is immutable and may be used by many
// goroutines at once.
type Model struct {
	columns []column
	slots   []slot // a row as the trees read it
	cells   []cell
	roots   []root
	sets    []set
	words   []uint32 // of the sets of categories
	covers  []uint32 // of each cell: training rows that came by
	outputs int
	divisor float64 // of the sums: 1, or how many iterations are averaged
	link    link
	why     why
}

// Decode reads a model. What it cannot score as LightGBM does is an Invalid fault that
// names the line or the part. Its memory is bounded by a multiple of len(b), and it keeps
// nothing of b.
func Decode(b []byte) (*Model, error) {
	h, l, err := readHeader(string(b))
	if err != nil {
		return nil, err
	}
	m := &Model{outputs: h.about.TreesPerIteration, divisor: 1}
	if h.about.Classes != m.outputs {
		return nil, fault.New(fault.Invalid, "the LightGBM model has %d classes and %d trees an iteration, which is not supported", h.about.Classes, m.outputs)
	}
	if m.link, err = readLink(h.objective, m.outputs); err != nil {
		return nil, err
	}
	if err := m.readTrees(&h, &l); err != nil {
		return nil, err
	}
	if err := h.readTail(&l); err != nil {
		return nil, err
	}
	m.columns, err = columns(h.about)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// readTrees reads all trees, and the line that ends them.
func (m *Model) readTrees(h *header, l *lines) error {
	var t treeText
	y := newLayer(m, len(h.about.Features))
	for n := 0; ; n++ {
		line, ok := l.next()
		for ok && line == "" {
			line, ok = l.next()
		}
		switch {
		case !ok:
			return truncated()
		case line == treesEnd:
			h.about.Trees = n
			return m.count(h)
		case !strings.HasPrefix(line, treeMark):
			return wrongAt(l.at, "got %q where a tree begins", clip(line))
		case m.outputs == 0:
			return wrongAt(l.at, "there is a tree, but num_tree_per_iteration is 0")
		}
		if err := t.read(l, len(h.about.Features)); err != nil {
			return err
		}
		if err := y.lay(&t, n%m.outputs); err != nil {
			return err
		}
	}
}

// count checks how many trees there are.
func (m *Model) count(h *header) error {
	n := h.about.Trees
	if v := h.treeSizes; v.line > 0 {
		if want := len(strings.Fields(v.text)); want != n {
			return wrongAt(v.line, "tree_sizes tells of %d trees, but there are %d", want, n)
		}
	}
	if m.outputs < 1 || m.outputs > max(n, 1) || n%m.outputs != 0 {
		return fault.New(fault.Invalid, "the LightGBM model has %d trees, %d an iteration", n, m.outputs)
	}
	if h.about.Averaged {
		if n == 0 {
			return fault.New(fault.Invalid, "the LightGBM model is the mean of no trees")
		}
		m.divisor = float64(n / m.outputs)
	}
	return nil
}

// Size is how many bytes of memory the model takes.
func (m *Model) Size() int64 {
	n := 16*int64(cap(m.cells)+cap(m.roots)) + 24*int64(cap(m.slots)) + 8*int64(cap(m.sets)) + 4*int64(cap(m.words)+cap(m.covers))
	for i := range m.columns {
		n += m.columns[i].size()
	}
	return n
}
