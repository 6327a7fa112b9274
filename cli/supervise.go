// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"flyball/training/executor/local"
)

// superviseCommand is what the local executor starts for each of its jobs. Nobody else
// calls it.
func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use: local.Verb + " FOLDER", Short: "Run the job of a folder (the local executor calls it)", Args: cobra.ExactArgs(1), Hidden: true,
		Example: "  flyball " + local.Verb + " flyball-data/work/3f2a",
		RunE:    func(_ *cobra.Command, args []string) error { return local.Supervise(args[0]) },
	}
}
