// SPDX-License-Identifier: Apache-2.0

package training

import (
	"testing"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/model/lightgbm"
	"flyball/model/mlmodel"
)

func TestAModelThatNamesOtherFeaturesIsRefused(t *testing.T) {
	for said, fits := range map[string]bool{"b a": true, "a b": false, "b": false, "b c": false, "Column_0 Column_1": true} {
		m := mlmodel.Model{
			File:   model.File{Name: lightgbm.File, Bytes: []byte("tree\nversion=v4\nfeature_names=" + said + "\n")},
			Inputs: []frame.Field{{Name: "b", Kind: frame.Number}, {Name: "a", Kind: frame.Number}},
		}
		if err := (&work{}).named(m, []string{"b", "a"}); fits != (err == nil) || err != nil && !fault.Is(err, fault.Refused) {
			t.Errorf("%s: %v", said, err)
		}
	}
}
