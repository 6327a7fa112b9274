// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/serving/replica"
)

func replicasCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "replicas", Short: "The processes that serve, and how each stands", Args: cobra.NoArgs,
		Long: "A replica that is leased is counted on: a release goes on when all of those have loaded it and serve by its plan. One whose lease has\n" +
			"ended answers by the live version that it knew last, and no version on trial.",
		Example: "  flyball replicas\n  flyball replicas -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := e.client().Replicas(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: []string{"name", "state", "seen (UTC)", "version", "models", "predictions until (UTC)", "address", "build"}, short: 6}
			for i := range all {
				r := &all[i]
				t.add(r.Name, stateOf(r), when(r.Seen), fmt.Sprint(r.Version), held(r), when(r.Shipped.UpTo), r.Address, r.Build)
			}
			return e.show(all, t)
		},
	}
}

func stateOf(r *replica.State) string {
	if r.Leased {
		return "leased"
	}
	return "away"
}

// held is the generation of each model that a replica serves, or why it does not.
func held(r *replica.State) string {
	var out []string
	for _, h := range r.Models {
		text := fmt.Sprintf("%s:%d", h.Model, h.Generation)
		if h.Failed != "" {
			text += " (" + h.Failed + ")"
		}
		out = append(out, text)
	}
	return orDash(strings.Join(out, ", "))
}
