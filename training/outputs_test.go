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

func TestTheLogTellsOfFeaturesThatAreKnownByTheirPlaces(t *testing.T) {
	for said, want := range map[string]string{
		"b a":               "done",
		"Column_0 Column_1": "done\nflyball: the model names no features; it is given those of the pipeline by their places: b, a\n",
	} {
		w := &work{fits: []fit{{log: []byte("earlier")}, {log: []byte("done")}}}
		m := mlmodel.Model{
			File:   model.File{Name: lightgbm.File, Bytes: []byte("tree\nversion=v4\nfeature_names=" + said + "\n")},
			Inputs: []frame.Field{{Name: "x", Kind: frame.Number}, {Name: "y", Kind: frame.Number}},
		}
		if err := w.named(m, []string{"b", "a"}); err != nil || string(w.fits[1].log) != want || string(w.fits[0].log) != "earlier" {
			t.Errorf("%s: got %q, %v", said, w.fits[1].log, err)
		}
	}
	if err := (&work{}).named(mlmodel.Model{Behind: true, File: model.File{Name: lightgbm.File}, Inputs: []frame.Field{{Name: "x"}}}, []string{"b", "a"}); !fault.Is(err, fault.Refused) {
		t.Errorf("one feature of two: got %v", err)
	}
}
