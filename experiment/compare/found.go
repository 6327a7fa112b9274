// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"

	"flyball/experiment"
	"flyball/fault"
)

// Named is the run that a reference names: a run's id, the beginning of one, or a
// version. A version without a run is a NotFound fault.
func (f *Finder) Named(ctx context.Context, ref string) (experiment.Run, error) {
	o, err := f.find(ctx, ref, "", nil)
	if err != nil {
		return experiment.Run{}, err
	}
	if o.run.ID == "" {
		return experiment.Run{}, fault.New(fault.NotFound, "%s has no run", ref)
	}
	return o.run, nil
}
