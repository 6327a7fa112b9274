// SPDX-License-Identifier: Apache-2.0

package training

import "flyball/experiment/evaluation"

// GroupRatio is the least ratio of a group's selection rate to the largest group's: what
// the gate asks for, or evaluation.FourFifths where it asks for none.
func (r Recipe) GroupRatio() float64 {
	if f := r.Gate.Fairness; f != nil && f.Metric == "selection_ratio" && f.Require.AtLeast != nil {
		return *f.Require.AtLeast
	}
	return evaluation.FourFifths
}

// GroupGap is the most by which a group's rate of yes, among rows of one truth, may lie
// beside the largest group's: what the gate asks for by tpr_gap or fpr_gap; 0 where it
// asks for none.
func (r Recipe) GroupGap(metric string) float64 {
	if f := r.Gate.Fairness; f != nil && f.Metric == metric && f.Require.AtMost != nil {
		return *f.Require.AtMost
	}
	return 0
}
