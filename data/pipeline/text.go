// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"
	"unicode"
	"unicode/utf8"
)

// tokens are the words of a text, and what is counted of it. They are used again for
// the next text.
type tokens struct {
	text   []byte // the words in lower case, a space between two
	starts []int
	ends   []int
	counts []float64 // by feature; zero between two texts
	met    []int     // features that are not zero, rising
}

// split finds the words: runs of two or more letters, digits and _, in lower case. It is
// scikit-learn's (?u)\b\w\w+\b after lower(), but that each character is made lower by
// itself.
func (t *tokens) split(text string) {
	t.text, t.starts, t.ends = t.text[:0], t.starts[:0], t.ends[:0]
	start, runes := 0, 0
	end := func() {
		if runes > 1 {
			t.starts, t.ends = append(t.starts, start), append(t.ends, len(t.text))
			t.text = append(t.text, ' ')
		} else {
			t.text = t.text[:start]
		}
		start, runes = len(t.text), 0
	}
	for _, r := range text {
		switch {
		case 'A' <= r && r <= 'Z':
			t.text = append(t.text, byte(r)+'a'-'A')
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_':
			t.text = append(t.text, byte(r))
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsNumber(r)):
			t.text = utf8.AppendRune(t.text, unicode.ToLower(r))
		default:
			if runes > 0 {
				end()
			}
			continue
		}
		runes++
	}
	if runes > 0 {
		end()
	}
}

// count counts the runs of fewest to most words of the text by the feature they fall on.
func (t *tokens) count(text string, fewest, most, features int) {
	t.split(text)
	if len(t.counts) < features {
		t.counts = make([]float64, features)
	}
	t.met = t.met[:0]
	for n := fewest; n <= most; n++ {
		for i := 0; i+n <= len(t.starts); i++ {
			at, _ := bucket(t.text[t.starts[i]:t.ends[i+n-1]], features)
			if t.counts[at] == 0 {
				t.met = append(t.met, at)
			}
			t.counts[at]++
		}
	}
	slices.Sort(t.met)
}

// clear makes the counts zero again.
func (t *tokens) clear() {
	for _, at := range t.met {
		t.counts[at] = 0
	}
}

// runs are the fewest and the most words of a run that counts.
func (s *step) runs() (fewest, most int) {
	if len(s.spec.Words) == 0 {
		return 1, 1
	}
	return s.spec.Words[0], s.spec.Words[1]
}

// fitWeights are scikit-learn's TfidfTransformer's: the logarithm of how rare a feature
// is among the texts, smoothed by one text that has all, plus one.
func (s *step) fitWeights(w words, fill *string) []float64 {
	var t tokens
	fewest, most := s.runs()
	have := make([]int, s.spec.Features)
	texts := 0
	for i := range w.text {
		text, ok := w.at(i, fill)
		if !ok {
			continue
		}
		texts++
		t.count(text, fewest, most, s.spec.Features)
		for _, at := range t.met {
			have[at]++
		}
		t.clear()
	}
	out := make([]float64, s.spec.Features)
	for at, n := range have {
		out[at] = math.Log(float64(1+texts)/float64(1+n)) + 1
	}
	return out
}

// text writes the weighted counts of each text, of length one together, as
// HashingVectorizer(alternate_sign=False, norm=None) and TfidfTransformer do. A missing
// text is zero in all, as is one without words.
func (s *step) text(b *batch) {
	outs := s.outs
	fewest, most := s.runs()
	t := &b.tokens
	for k := range s.in {
		in := &s.in[k]
		words, weights := b.words[in.slot], s.state.Weights[k]
		if !s.direct {
			for _, slot := range outs[:len(weights)] {
				clear(b.nums[slot][:b.n])
			}
		}
		for row := range b.n {
			text, ok := words.at(row, in.fill)
			if !ok {
				continue
			}
			t.count(text, fewest, most, len(weights))
			length := 0.0
			for _, at := range t.met {
				x := t.counts[at] * weights[at]
				length += float64(x * x)
			}
			if length = math.Sqrt(length); length > 0 && !math.IsInf(length, 0) {
				for _, at := range t.met {
					s.write(b, k, row, at, outs, float64(t.counts[at]*weights[at])/length)
				}
			}
			t.clear()
		}
		outs = outs[len(weights):]
	}
}
