// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"slices"
	"strings"

	"flyball/experiment/evaluation"
)

// withheld is the text of a reason whose figures are withheld.
const withheld = "withheld: its figures are of groups (permission fairness)"

// WithoutGroups is the verdict for whoever may not see what a version does for groups: the
// same decisions, rule by rule, without any figure of a group. It returns false, and v as
// it is, where v says nothing of groups. It shares what it does not change with v.
func (v Verdict) WithoutGroups() (Verdict, bool) {
	columns := v.groupColumns()
	if len(columns) == 0 {
		return v, false
	}
	v.Groups = nil
	v.Reasons = slices.Clone(v.Reasons)
	for i := range v.Reasons {
		if r := &v.Reasons[i]; ofColumn(columns, r.Slice) {
			r.Text, r.Needs = withheld, 0
		}
	}
	v.Estimates = slices.DeleteFunc(slices.Clone(v.Estimates), func(e evaluation.Estimate) bool { return ofColumn(columns, e.Slice) })
	v.Differences = slices.DeleteFunc(slices.Clone(v.Differences), func(d evaluation.Difference) bool { return ofColumn(columns, d.Slice) })
	return v, true
}

// groupColumns are the columns of groups that the verdict tells of.
func (v Verdict) groupColumns() []string {
	var out []string
	for _, t := range v.Groups {
		out = append(out, t.Column)
	}
	for _, r := range v.Reasons {
		if strings.HasPrefix(r.Rule, fairnessRule) && r.Slice != "" {
			out = append(out, r.Slice)
		}
	}
	return out
}

// ofColumn reports whether a slice, as column or column=value, is of one of the columns.
func ofColumn(columns []string, slice string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return slice == c || strings.HasPrefix(slice, c+"=") })
}
