// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
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
		Example: "  flyball gate hotel-cancel@7\n  flyball gate hotel-cancel@7 -o markdown > comment.md\n  flyball gate hotel-cancel -o json\n  flyball gate hotel-cancel@8 --wait 20m\n  flyball gate hotel-cancel@8 --junit tests.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := e.version(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			verdict, err := e.verdict(cmd.Context(), v, wait)
			if err != nil {
				return err
			}
			if err := writeJUnit(junit, v.Ref.String(), verdict); err != nil {
				return err
			}
			return e.showGate(v, verdict, cmd.Flags().Changed("wait"))
		},
	}
	c.Flags().DurationVar(&wait, "wait", 10*time.Minute, "wait for the verdict this long; given, an inconclusive one ends with exit code 8")
	c.Flags().StringVar(&junit, "junit", "", "write what gate.tests found to this file, as a JUnit report")
	c.AddCommand(gateShowCommand(e))
	return c
}

func gateShowCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "show ID|MODEL@VERSION", Short: "A verdict as a comment or a page (-o markdown, html, json)", Args: cobra.ExactArgs(1),
		Long: "Shows a verdict that was given, by the id that a comment ends with (its first digits are enough) or by its version.\n" +
			"The Markdown begins with a hidden marker, <!-- flyball:gate MODEL ID -->: a job that finds the comment with the\n" +
			"marker of its model writes over it, so that a change has one comment of the gate.",
		Example: "  flyball gate show hotel-cancel@7 -o markdown > comment.md\n  flyball gate show 7c1e -o html > gate.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := e.judged(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if v.Verdict == "" {
				return fault.New(fault.NotFound, "the gate has not judged %s", v.Ref).Do("have it judged: flyball gate %s", v.Ref)
			}
			verdict, err := e.verdict(cmd.Context(), v, 0)
			if err != nil {
				return err
			}
			return e.showGate(v, verdict, false)
		},
	}
}

// showGate prints a verdict as -o asks, and answers no where it does not pass. Whoever
// waits for more rows gets another answer where they may yet tell.
func (e *env) showGate(v registry.Version, verdict gate.Verdict, waits bool) error {
	answer, code := error(nil), exitOK
	switch {
	case verdict.Pass:
	case waits && verdict.Decision == gate.Inconclusive:
		answer, code = errGoing, exitGoing
	default:
		answer, code = errNo, exitNo
	}
	var err error
	switch e.format {
	case "markdown":
		_, err = io.WriteString(e.out, report.Of(v, verdict, code).Markdown())
	case "html":
		err = report.Of(v, verdict, code).HTML(e.out)
	default:
		err = e.showVerdict(verdict)
	}
	if err != nil {
		return err
	}
	return answer
}

// judged is the version of a reference, or the one whose verdict has an id.
func (e *env) judged(ctx context.Context, ref string) (registry.Version, error) {
	if strings.ContainsAny(ref, "@") || !digits(ref) {
		return e.version(ctx, ref)
	}
	models, err := e.client().Statuses(ctx)
	if err != nil {
		return registry.Version{}, err
	}
	var found []registry.Version
	for _, m := range models {
		vs, err := e.client().Versions(ctx, m.Model)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return registry.Version{}, err
		}
		for _, v := range vs {
			var verdict gate.Verdict
			if json.Unmarshal(v.Report, &verdict) == nil && strings.HasPrefix(report.ID(v, verdict), ref) {
				found = append(found, v)
			}
		}
	}
	switch len(found) {
	case 0: // a model may be called so
		v, err := e.version(ctx, ref)
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.NotFound, "no verdict has the id %s", ref).Do("name the version, as in hotel-cancel@7")
		}
		return v, err
	case 1:
		return found[0], nil
	}
	return registry.Version{}, fault.New(fault.Conflict, "%d verdicts have an id that begins with %s", len(found), ref).Do("give more of it")
}

// digits reports whether a text is the beginning of a digest.
func digits(s string) bool {
	return len(s) >= 4 && len(s) <= 12 && strings.Trim(s, "0123456789abcdef") == ""
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
