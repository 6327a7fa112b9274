// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// following is how often the log of a command that goes on is asked for.
const following = 300 * time.Millisecond

func runLogsCommand(e *env) *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use: "logs RUN", Short: "What the command of a run printed", Args: cobra.ExactArgs(1),
		Long: "What the command of a training printed: live while it goes on, and from the files of the\n" +
			"run (logs/fit-1.log …) when it has ended. -f follows until the command has ended.",
		Example: "  flyball runs logs 8f3c -f\n  flyball runs logs hotel-cancel@7",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cl := cmd.Context(), e.client()
			var offset int64
			for {
				n, going, err := cl.RunLogs(ctx, args[0], offset, e.out)
				if err != nil {
					return err
				}
				offset += n
				switch {
				case n > 0 && (!follow || !going):
					continue // the rest of what is there
				case !follow || !going:
					return nil
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(following):
				}
			}
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the command has ended")
	return c
}

func cancelRunCommand(e *env) *cobra.Command {
	var why string
	c := &cobra.Command{
		Use: "cancel RUN", Short: "End the command of a run that goes on, and its training", Args: cobra.ExactArgs(1),
		Long:    "Ends the command of a training with all its processes. The training ends with it, and is\nnot tried again by itself.",
		Example: "  flyball runs cancel 8f3c --why \"it reads the wrong file\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().CancelRun(cmd.Context(), args[0], why)
			if err != nil {
				return err
			}
			t := table{head: []string{"done"}, short: 1}
			t.add(got.Text)
			return e.show(got, t)
		},
	}
	c.Flags().StringVar(&why, "why", "", "one sentence for the record")
	return c
}
