// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"flyball/experiment/gate"
	"flyball/experiment/modeltest"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/training"
)

func gateCommand(e *env) *cobra.Command {
	var wait time.Duration
	var junit string
	c := &cobra.Command{
		Use: "gate MODEL[@VERSION]", Short: "What the gate says of a version (exit 3: kept out)", Args: cobra.ExactArgs(1),
		Long: "What the gate said of a version, with each rule and what it found. A version that a client registered is judged now: on\n" +
			"the newest data of the model file, against the live version and the baseline. Say what it was trained on by its tag\n" +
			"flyball.seen_until; without it, the rows may be known to it, and the verdict says so.",
		Example: "  flyball gate hotel-cancel@7\n  flyball gate hotel-cancel -o json\n  flyball gate hotel-cancel@8 --wait 20m\n  flyball gate hotel-cancel@8 --junit tests.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := e.version(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			verdict, err := e.verdict(cmd.Context(), v, wait)
			if err != nil {
				return err
			}
			if err := e.showVerdict(verdict); err != nil {
				return err
			}
			if err := writeJUnit(junit, v.Ref.String(), verdict); err != nil {
				return err
			}
			if !verdict.Pass {
				return errNo
			}
			return nil
		},
	}
	c.Flags().DurationVar(&wait, "wait", 10*time.Minute, "wait for the verdict this long")
	c.Flags().StringVar(&junit, "junit", "", "write what gate.tests found to this file, as a JUnit report")
	return c
}

// writeJUnit writes the tests of a verdict to a file; an empty path is none.
func writeJUnit(path, version string, v gate.Verdict) error {
	if path == "" {
		return nil
	}
	var b bytes.Buffer
	if err := modeltest.WriteJUnit(&b, version, v.Tests); err != nil {
		return err
	}
	err := os.WriteFile(path, b.Bytes(), 0o644) //nolint:gosec // a report for others to read
	return fault.Wrap(err, fault.Invalid, "the report cannot be written")
}

// version is the version of a reference such as hotel-cancel@7.
func (e *env) version(ctx context.Context, ref string) (registry.Version, error) {
	name, err := ident.ParseName(ref)
	if err != nil {
		return registry.Version{}, err
	}
	vs, err := e.client().Versions(ctx, name.Model)
	if err != nil {
		return registry.Version{}, err
	}
	want := name.Version
	if want == 0 {
		st, err := e.client().Status(ctx, name.Model)
		if err != nil {
			return registry.Version{}, err
		}
		want = st.Aliases[name.Alias]
	}
	i := slices.IndexFunc(vs, func(v registry.Version) bool { return v.Version == want })
	if i < 0 {
		return registry.Version{}, fault.New(fault.NotFound, "there is no version %s", ref).Do("see flyball versions %s", name.Model)
	}
	return vs[i], nil
}

// verdict is what the gate said of a version, or says now.
func (e *env) verdict(ctx context.Context, v registry.Version, wait time.Duration) (gate.Verdict, error) {
	var verdict gate.Verdict
	if v.Verdict != "" {
		err := json.Unmarshal(v.Report, &verdict)
		return verdict, fault.Wrap(err, fault.Internal, "the report of %s cannot be read", v.Ref)
	}
	got, err := e.client().Judge(ctx, v.Model, v.Version)
	if err != nil {
		return verdict, err
	}
	e.say("%s", got.Text)
	j, ended, err := e.waitJob(ctx, got.Job, wait)
	switch {
	case err != nil:
		return verdict, err
	case !ended:
		e.say("still going: flyball gate %s", v.Ref)
		return verdict, errGoing
	case j.State != job.Done:
		return verdict, fault.New(fault.Invalid, "the judging %s: %s", j.State, j.Error)
	}
	var res training.Result
	if err := json.Unmarshal(j.Result, &res); err != nil {
		return verdict, fault.Wrap(err, fault.Internal, "the result of the judging cannot be read")
	}
	return res.Verdict, nil
}
