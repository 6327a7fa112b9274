// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"slices"

	"flyball/fault"
	"flyball/ident"
)

// Decides reports whether an alias of a model with a model file says which version
// answers: it moves only through the loop.
func Decides(alias string) bool {
	return slices.Contains([]string{Live, Candidate, Previous, Baseline}, alias)
}

// MayMove says whether a client may have an alias of m point at a version (0: at
// none). An alias that decides traffic is a Denied fault that names the way to move
// it; a model without a model file routes nothing, and its aliases move freely.
func (m Model) MayMove(alias string, to int) error {
	if !m.Cared() || !Decides(alias) {
		return nil
	}
	way := "flyball promote " + ident.Ref{Model: m.Name, Version: to}.String()
	if to == 0 {
		way = "flyball rollback " + m.Name
	}
	return fault.New(fault.Denied, "The alias '%s' of %s decides which version answers, so only a release moves it: %s", alias, m.Name, way)
}

// MayRename says whether a client may rename m. A model with a model file has the name
// that its file says: a Denied fault.
func (m Model) MayRename() error {
	if !m.Cared() {
		return nil
	}
	return fault.New(fault.Denied, "%s has a model file, which says its name: apply the file under the new name with flyball apply", m.Name)
}

// MayDelete says whether a client may delete m with everything. A model with a model
// file is at work: a Denied fault.
func (m Model) MayDelete() error {
	if !m.Cared() {
		return nil
	}
	return fault.New(fault.Denied, "%s has a model file and is under Flyball's care, so its versions are kept: stop its trainings with flyball hold %s", m.Name, m.Name)
}

// MayDeleteVersion says whether a version of m at which these aliases point may be
// deleted. One that serves, is under release or may be gone back to is a Refused fault.
func (m Model) MayDeleteVersion(ref ident.Ref, aliases []string) error {
	for _, a := range aliases {
		if m.Cared() && Decides(a) {
			return fault.New(fault.Refused, "%s is %s of %s: release another version first, see flyball releases %s", ref, a, m.Name, m.Name)
		}
	}
	return nil
}
