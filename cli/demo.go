// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"flyball/demo"
)

func demoCommand(e *env) *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "Take a year of real history through the whole loop", Args: cobra.NoArgs,
		Example: "  flyball demo\n  flyball demo --keep ./demo\n  flyball demo --step",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out, o.In, o.Stay, o.Progress = e.out, e.in, e.terminal && !o.Fast, e.terminal
			return demo.Run(cmd.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Keep, "keep", "", "keep everything in this folder")
	c.Flags().BoolVar(&o.Step, "step", false, "wait for Enter after each line")
	c.Flags().BoolVar(&o.Fast, "fast", false, "12 weeks instead of a year")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:7180", "address to answer at, of this machine only")
	return c
}
