// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"flyball/api/wire"
)

func forgetCommand(e *env) *cobra.Command {
	var in wire.Forget
	c := &cobra.Command{
		Use: "forget KEY", Short: "Remove for good what is kept of a caller's key", Args: cobra.ExactArgs(1),
		Long:    "Removes the predictions of a key with their reasons, groups and labels, sealed files too: they are written\nanew, and the audit chain tells their old and new SHA-256. The reason stands in the chain for ever: do not\nwrite the key into it. It may be stopped and run again. What it cannot reach is listed (docs/audit.md).",
		Example: "  flyball forget b-17 --why 'request 2026-114'\n  flyball forget b-17 -m hotel-cancel --why 'request 2026-114'",
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Key = args[0]
			got, err := e.client().Forget(cmd.Context(), in)
			if err != nil {
				return err
			}
			t := table{head: []string{"forgotten", "number"}}
			t.add("predictions", fmt.Sprint(got.Rows))
			t.add("labels", fmt.Sprint(got.Labels))
			t.add("sealed files written anew", fmt.Sprint(got.Files))
			if err := e.show(got, t); err != nil {
				return err
			}
			for _, s := range got.Snapshots {
				e.say("not reached: snapshot %.12s of %s, made %s, may hold rows of it", s.ID, s.Model, when(s.At))
			}
			if got.Traces {
				e.say("not reached for now: free space of staged.db, which is read or too large to be written anew; it goes as it is used again")
			}
			if got.Shared {
				e.say("not reached for now: the bucket, which has copies until the checkpoint that is made now; run it again in a minute if the key was asked about in the last minutes")
			}
			e.say("not reached: backups and exports, data that was applied or uploaded, files of runs")
			return nil
		},
	}
	c.Flags().StringVarP(&in.Model, "model", "m", "", "of this model only (default of all)")
	c.Flags().StringVar(&in.Why, "why", "", "the reason, for the audit chain, without the key itself")
	_ = c.MarkFlagRequired("why")
	return c
}
