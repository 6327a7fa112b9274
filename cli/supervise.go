// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"flyball/training"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/node"
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

// attemptCommand is what the engine of a cluster starts on a node. Its environment says
// which attempt it is. Nobody else calls it.
func attemptCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: cluster.Verb, Short: "Run an attempt on a node of a cluster (the engine calls it)", Args: cobra.NoArgs, Hidden: true,
		Example: "  flyball " + cluster.Verb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := node.FromEnvironment(slog.New(slog.NewTextHandler(e.err, nil)))
			if err != nil {
				return err
			}
			return node.Run(cmd.Context(), o)
		},
	}
}

// fitCommand is what the job of a built-in learner runs, on whatever machine.
func fitCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: training.FitVerb, Short: "Fit a built-in learner as a job asks (executors call it)", Args: cobra.NoArgs, Hidden: true,
		Example: "  flyball " + training.FitVerb,
		RunE:    func(cmd *cobra.Command, _ []string) error { return training.FitHere(cmd.Context(), os.Getenv, e.out) },
	}
}
