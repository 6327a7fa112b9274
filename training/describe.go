// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"

	"flyball/data/frame"
	"flyball/model"
	"flyball/model/dependence"
)

// describing measures a version that may be released, which has files beside it, over its
// rows; nothing of the others, which are made for the gate alone.
func describing(beside []model.File, rows *frame.Frame) func(context.Context, *model.Bundle) ([]model.File, error) {
	if beside == nil {
		return nil
	}
	return dependence.Describe(rows)
}
