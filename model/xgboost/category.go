// SPDX-License-Identifier: Apache-2.0

package xgboost

import "encoding/json"

// categories reads the names of the categories of each feature, as XGBoost 3.1 and
// later keeps them for a table that has them: a text as UTF-8 between two offsets, or
// the numbers themselves. Number i stands for the i-th. Names that cannot be read are
// as if there were none: they change no score.
func (r *reader) categories() [][]string {
	var raw []byte
	switch s := r.source.(type) {
	case *jsonText:
		at := r.within(r.skip)
		raw = s.in[at.from:at.to]
	case *ubjson:
		w := respeller{r: s}
		w.value(0)
		raw = w.out
	}
	var c struct {
		Enc []struct {
			Offsets []int         `json:"offsets"`
			Values  []json.Number `json:"values"`
		} `json:"enc"`
	}
	if json.Unmarshal(raw, &c) != nil {
		return nil
	}
	var out [][]string
	for _, e := range c.Enc {
		var names []string
		if e.Offsets == nil {
			for _, v := range e.Values {
				names = append(names, v.String())
			}
		}
		for i := 1; i < len(e.Offsets); i++ {
			from, to := e.Offsets[i-1], e.Offsets[i]
			if from < 0 || to < from || to > len(e.Values) {
				return nil
			}
			var text []byte
			for _, v := range e.Values[from:to] {
				b, err := v.Int64()
				if err != nil {
					return nil
				}
				text = append(text, byte(b))
			}
			names = append(names, string(text))
		}
		out = append(out, names)
	}
	return out
}
