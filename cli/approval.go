// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/approval"
)

func approvalsCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "approvals [MODEL]", Short: "What waits for somebody's leave; of a model all that ever did", Args: cobra.MaximumNArgs(1),
		Long: "A version of a model with risk: medium or high is released when people agree who neither\nproposed nor made it: a validator, and for high an owner as well. A request is bound to the\n" +
			"digest of what would be released and how, and expires after seven days. The way back\n(flyball rollback, flyball hold) never needs leave.",
		Example: "  flyball approvals\n  flyball approvals hotel-cancel -o wide\n  flyball approvals approve hotel-cancel@8 --why \"the slices hold\"\n  flyball approvals reject hotel-cancel@8 --why \"too few groups\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := e.client().Approvals(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			t := table{head: []string{"version", "state", "risk", "asked", "by", "until", "what", "made by", "said", "digest"}, short: 7}
			for _, a := range all {
				t.add(a.Ref().String(), string(a.Decision.State), string(a.Risk), when(a.AskedAt), a.By, when(a.Expires), a.Decision.Why,
					dash(strings.Join(a.Authors, " ")), dash(saidOf(a)), string(a.Digest))
			}
			return e.show(all, t)
		},
	}
	c.AddCommand(
		sayCommand(e, approval.Approve, "Give leave to a release that others proposed and made", "the slices hold"),
		sayCommand(e, approval.Reject, "Refuse leave: the version stays out", "too few groups"),
		sayCommand(e, approval.Override, "Have a release go ahead without leave: two of the role ml-engineer, on record for ever", "the live version answers nonsense"),
	)
	return c
}

// saidOf is what people said to a request, in a line.
func saidOf(a wire.Approval) string {
	out := make([]string, len(a.Given))
	for i, g := range a.Given {
		if out[i] = fmt.Sprintf("%s %s", g.By, g.Kind); g.Why != "" {
			out[i] += " (" + g.Why + ")"
		}
	}
	return strings.Join(out, ", ")
}

func sayCommand(e *env, kind approval.Kind, short, reason string) *cobra.Command {
	var say wire.Say
	var digest string
	c := &cobra.Command{
		Use: string(kind) + " MODEL@VERSION", Short: short, Args: cobra.ExactArgs(1),
		Example: fmt.Sprintf("  flyball approvals %s hotel-cancel@8 --why %q", kind, reason),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := e.approval(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if digest != "" && !strings.HasPrefix(string(a.Digest), digest) {
				return fault.New(fault.Conflict, "the request for %s is about %s", args[0], a.Digest).Do("look at flyball approvals %s", a.Model)
			}
			say.Digest = a.Digest
			got, err := e.client().Say(cmd.Context(), a.Model, a.ID, string(kind), say)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(e.out, got.Text)
			return err
		},
	}
	c.Flags().StringVar(&say.Why, "why", "", "the reason, for the record")
	c.Flags().StringVar(&digest, "digest", "", "the digest that was looked at, or how it begins: another one is refused")
	return c
}

// approval is the newest request for a version.
func (e *env) approval(ctx context.Context, ref string) (wire.Approval, error) {
	v, err := e.version(ctx, ref)
	if err != nil {
		return wire.Approval{}, err
	}
	all, err := e.client().Approvals(ctx, v.Model)
	if err != nil {
		return wire.Approval{}, err
	}
	for _, a := range all {
		if a.Version == v.Version {
			return a, nil
		}
	}
	return wire.Approval{}, fault.New(fault.NotFound, "nobody asked for leave to release %s", v.Ref).Do("ask with flyball promote %s", v.Ref)
}
