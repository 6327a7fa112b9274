// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"maps"
	"slices"
)

// maxTrials bounds a search: each trial is a training.
const maxTrials = 1000

// search checks the settings that are searched; whether a learner knows them is the
// learner's to say.
func (c *checker) search() {
	t := c.m.Train
	for _, name := range slices.Sorted(maps.Keys(t.Search)) {
		r := t.Search[name]
		switch {
		case r.Values != nil && len(r.Values) == 0:
			c.add("train.search."+name, "the list is empty")
		case r.Values == nil && r.Low == 0 && r.High == 0:
			c.add("train.search."+name, "it is empty; write a list, log(0.01, 0.3), uniform(0, 1) or whole(4, 12)")
		}
		if _, both := t.Settings[name]; both {
			c.warn("train.search."+name, "train.settings gives it too; that value is tried as one of the trials")
		}
	}
	switch {
	case t.Trials < 0 || t.Trials > maxTrials:
		c.add("train.trials", "a search has from 1 to %d trials", maxTrials)
	case t.Trials > 0 && len(t.Search) == 0:
		c.add("train.trials", "there is nothing to try; give train.search")
	}
}
