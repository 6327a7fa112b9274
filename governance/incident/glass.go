// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"fmt"
	"strings"
	"time"

	"flyball/fault"
)

// Lasts is how long a broken glass gives leave.
const Lasts = 2 * time.Hour

// leastWhy is the shortest reason that says something, in bytes.
const leastWhy = 10

// Break is the incident of somebody who breaks the glass of a model: until it ends they
// may begin and move its releases, and override alone what others' leave is missing for.
// It takes nobody's checks away: harm takes a version back all the same. An Invalid fault
// where it does not say why.
func Break(model, by, why string, now time.Time) (Incident, error) {
	if why = strings.TrimSpace(why); len(why) < leastWhy || len(why) > mostWords {
		return Incident{}, fault.New(fault.Invalid, "whoever breaks the glass says why, in %d to %d bytes", leastWhy, mostWords).Do("say --why \"…\"")
	}
	until := now.UTC().Add(Lasts)
	i := New(Glass, model, fmt.Sprintf("%s broke the glass at %s", by, now.UTC().Format(time.RFC3339Nano)),
		fmt.Sprintf("%s breaks the glass until %s: %s", by, until.Format("2 Jan 15:04 UTC"), why), by, now).Take(by, now)
	i.Until = until
	return i, nil
}

// Holds reports whether a broken glass gives leave at a moment.
func (i Incident) Holds(now time.Time) bool {
	return i.Kind == Glass && !now.Before(i.Opened) && now.Before(i.Until)
}

// End is the incident whose broken glass gives no leave from now on. It stays open.
func (i Incident) End(now time.Time) Incident {
	if i.Holds(now) {
		i.Until = now.UTC()
	}
	return i
}
