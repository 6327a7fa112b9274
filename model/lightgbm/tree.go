// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"strings"

	"flyball/fault"
)

// The bits of decision_type (include/LightGBM/tree.h): how a split decides, where a
// missing value goes, and above them what counts as missing.
const (
	byCategory  = 1
	defaultLeft = 2
	missingNone = 0
	missingZero = 1
	missingNaN  = 2
)

func missing(decision int32) int32 { return decision >> 2 & 3 }

// treeText is a tree as the file has it: splits and leaves apart. A child that is not
// negative is a split; -1 is leaf 0, -2 leaf 1 and so on. It is used again for the next
// tree.
type treeText struct {
	line        int // where the tree begins
	leaves      int
	feature     []int32
	threshold   []float64
	decision    []int32
	left, right []int32
	value       []float64 // of the leaves
	splitRows   []int32   // training rows that came by; empty: the file does not say
	leafRows    []int32
	bounds      []int32 // where in words each set of categories begins; one more at the end
	words       []uint32
}

// treeLine is the number of a line of a tree that is read.
type treeLine uint8

const (
	numLeaves treeLine = iota
	numCat
	splitFeature
	threshold
	decisionType
	leftChild
	rightChild
	leafValue
	leafCount
	internalCount
	catBoundaries
	catThreshold
	isLinear
	treeLines
)

// lineNames are the keys of the lines, by their numbers.
var lineNames = [treeLines]string{
	"num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value",
	"leaf_count", "internal_count", "cat_boundaries", "cat_threshold", "is_linear",
}

// read reads the lines of a tree up to the empty one, or to what begins the next part.
func (t *treeText) read(l *lines, features int) error {
	t.line = l.at
	var vs [treeLines]value
	for {
		before := *l
		line, ok := l.next()
		if !ok || line == "" {
			break
		}
		if line == treesEnd || strings.HasPrefix(line, treeMark) {
			*l = before
			break
		}
		key, text, _ := strings.Cut(line, "=")
		for i, name := range lineNames {
			if key == name {
				vs[i] = value{text, l.at}
			}
		}
	}
	return t.parse(&vs, features)
}

func (t *treeText) parse(vs *[treeLines]value, features int) error {
	var err error
	if t.leaves, err = vs[numLeaves].count("num_leaves"); err != nil {
		return err
	}
	if t.leaves == 0 {
		return wrongAt(vs[numLeaves].line, "num_leaves is 0")
	}
	if v := vs[isLinear]; strings.TrimSpace(v.text) != "" && strings.TrimSpace(v.text) != "0" {
		return wrongAt(v.line, "the tree has linear leaves (linear_tree), which are not supported").Do("train with linear_tree=false")
	}
	if t.value, err = vs[leafValue].numbers("leaf_value", t.value, t.leaves); err != nil {
		return err
	}
	t.feature, t.splitRows, t.leafRows = t.feature[:0], t.splitRows[:0], t.leafRows[:0]
	t.bounds, t.words = t.bounds[:0], t.words[:0]
	if t.leaves == 1 {
		return nil
	}
	if err := t.parseSplits(vs, t.leaves-1, features); err != nil {
		return err
	}
	if vs[leafCount].line > 0 && vs[internalCount].line > 0 {
		if t.leafRows, err = vs[leafCount].integers("leaf_count", t.leafRows, t.leaves); err != nil {
			return err
		}
		if t.splitRows, err = vs[internalCount].integers("internal_count", t.splitRows, t.leaves-1); err != nil {
			return err
		}
	}
	return t.parseCategories(vs)
}

func (t *treeText) parseSplits(vs *[treeLines]value, splits, features int) (err error) {
	if t.feature, err = vs[splitFeature].integers("split_feature", t.feature, splits); err != nil {
		return err
	}
	for i, f := range t.feature {
		if f < 0 || int(f) >= features {
			return wrongAt(vs[splitFeature].line, "split %d reads feature %d of %d", i, f, features)
		}
	}
	if t.threshold, err = vs[threshold].numbers("threshold", t.threshold, splits); err != nil {
		return err
	}
	for i, x := range t.threshold {
		if x != x {
			return wrongAt(vs[threshold].line, "threshold %d is %v", i, x)
		}
	}
	if v := vs[decisionType]; v.line == 0 { // LightGBM takes them for 0 then
		t.decision = append(t.decision[:0], make([]int32, splits)...)
	} else if t.decision, err = v.integers("decision_type", t.decision, splits); err != nil {
		return err
	}
	for i, d := range t.decision {
		if d < 0 || d > 15 || missing(d) > missingNaN {
			return wrongAt(vs[decisionType].line, "decision_type %d is %d, which is not known", i, d)
		}
	}
	if t.left, err = vs[leftChild].integers("left_child", t.left, splits); err != nil {
		return err
	}
	t.right, err = vs[rightChild].integers("right_child", t.right, splits)
	return err
}

// parseCategories reads the sets of categories that go left.
func (t *treeText) parseCategories(vs *[treeLines]value) error {
	sets := 0
	if v := vs[numCat]; v.line > 0 {
		var err error
		if sets, err = v.count("num_cat"); err != nil {
			return err
		}
	}
	if sets > 0 {
		var err error
		b := vs[catBoundaries]
		if t.bounds, err = b.integers("cat_boundaries", t.bounds, sets+1); err != nil {
			return err
		}
		for i, at := range t.bounds {
			if at < 0 || i > 0 && at < t.bounds[i-1] {
				return wrongAt(b.line, "the places of cat_boundaries do not grow")
			}
		}
		if t.words, err = vs[catThreshold].sets("cat_threshold", t.words, int(t.bounds[sets])); err != nil {
			return err
		}
	}
	for i, d := range t.decision {
		if x := t.threshold[i]; d&byCategory != 0 && (x < 0 || x >= float64(sets)) {
			return wrongAt(vs[threshold].line, "split %d goes by set %v of %d sets of categories", i, x, sets)
		}
	}
	return nil
}

// set is the words of the categories that go left at split i.
func (t *treeText) set(i int32) []uint32 {
	at := int(t.threshold[i])
	return t.words[t.bounds[at]:t.bounds[at+1]]
}

// rows is how many training rows came by a child; 0: the file does not say.
func (t *treeText) rows(child int32) uint32 {
	switch {
	case len(t.leafRows) == 0:
		return 0
	case child >= 0:
		return uint32(max(t.splitRows[child], 0))
	}
	return uint32(max(t.leafRows[^child], 0))
}

func (t *treeText) notATree() error {
	return fault.New(fault.Invalid, "the splits of the LightGBM tree that begins in line %d do not form a tree", t.line)
}
