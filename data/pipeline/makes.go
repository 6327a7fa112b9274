// SPDX-License-Identifier: Apache-2.0

package pipeline

import "slices"

// MayMake reports whether the pipeline, once it is fitted, may make the feature; known
// are the features of which that is certain. one_hot makes features that begin with the
// name of its column, one a category that it finds. The error is Validate's.
func MayMake(spec Spec, feature string) (may bool, known []string, err error) {
	f, err := open(spec)
	if err != nil {
		return false, nil, err
	}
	for i := range f.plan.steps {
		if err := f.plan.place(i, nil); err != nil {
			return false, nil, err
		}
	}
	for _, c := range f.plan.columns {
		known = append(known, c.Name)
	}
	return slices.Contains(known, feature) || f.plan.maybe(feature), known, nil
}
