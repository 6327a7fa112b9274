// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/asof"
	"flyball/fault"
)

// whenever is after every moment: the server says what is over by its own clock.
func whenever() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// heedAsOf reads --as-of before a command runs.
func (e *env) heedAsOf(cmd *cobra.Command, text string) error {
	if text == "" {
		return nil
	}
	at, err := asof.Parse(text, whenever())
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(cmd.CommandPath(), "flyball ")
	if !tellsThePast(name) {
		return fault.New(fault.Invalid, "flyball %s takes no --as-of: it changes something, or knows only how things are now", name).
			Do("leave it out; docs/as-of.md says what is told of the past")
	}
	e.asOf = at
	e.say("as of %s", at.Format(time.RFC3339Nano))
	return nil
}

// tellsThePast reports whether a command, by its path below flyball, only reads what is
// kept as it was. What else it is asked the server decides.
func tellsThePast(name string) bool {
	switch name {
	case "status", "events", "versions", "releases", "drift", "score", "groups", "maturity", "delivery", "alerts", "incidents", "owners", "digest",
		"approvals", "card", "dossier", "evidence", "evidence export", "explain", "dependence", "gate", "gate show", "diff",
		"predictions", "predictions search", "predictions show", "predictions export",
		"data list", "data show", "data diff", "data check", "data suggest", "data export",
		"pipelines", "pipelines list", "pipelines show", "pipelines diff", "audit", "audit list":
		return true
	}
	return false
}
