// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"strconv"
	"strings"

	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/fault"
	"flyball/training"
	"flyball/unit"
)

// procedures says whether the second of two ways of training is better than the first: two
// model files, or one with some of train.settings changed.
func (e *env) procedures(ctx context.Context, files []string, set map[string]string, at string, o training.Trials) (err error) {
	if len(files) == 1 && len(set) == 0 || len(files) > 2 || len(files) == 2 && len(set) > 0 {
		return fmt.Errorf("invalid argument: --procedure takes two model files, or one and --set")
	}
	out, err := os.MkdirTemp("", "flyball-procedure-")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "no folder for the trainings can be made")
	}
	defer os.RemoveAll(out)
	a, err := e.here(ctx, files[0], at, out)
	if err != nil {
		return err
	}
	defer a.close()
	b := a
	if len(files) == 2 {
		if b, err = e.here(ctx, files[1], at, out); err != nil {
			return err
		}
		defer b.close()
		if b.trainer.Executor != nil {
			a.trainer.Executor, a.trainer.Environment, a.trainer.Decoders = b.trainer.Executor, b.trainer.Environment, b.trainer.Decoders
		}
	} else {
		b.request.Recipe.Train.Settings = changed(a.request.Recipe.Train.Settings, set)
	}
	c, err := a.trainer.Contest(ctx, a.request, b.request, o, e.progress())
	if e.terminal {
		fmt.Fprint(e.err, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	if err := e.showContest(c); err != nil {
		return err
	}
	if c.Decision != gate.Superior {
		return errNo
	}
	return nil
}

// changed is settings with some of them set: a number, true or false, or a text.
func changed(settings map[string]any, set map[string]string) map[string]any {
	out := maps.Clone(settings)
	if out == nil {
		out = map[string]any{}
	}
	for k, text := range set {
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			out[k] = x
		} else if b, err := strconv.ParseBool(text); err == nil {
			out[k] = b
		} else {
			out[k] = text
		}
	}
	return out
}

func (e *env) showContest(c training.Contest) error {
	if e.format == "table" || e.format == "wide" {
		fmt.Fprintf(e.out, "%s: %s\n", report.Decided(c.Decision), c.Text)
		fmt.Fprintf(e.out, "p %s after Nadeau and Bengio (%s where the splits are taken for independent), margin %s\n\n", pvalue(c.P), pvalue(c.NaiveP),
			strings.ReplaceAll(fmt.Sprintf("%g", c.Margin), "-", "−"))
	}
	t := table{head: []string{"split", "held out from", "to", "train rows", "test rows", "first", "second", "gain"}}
	for i, r := range c.Rounds {
		digits := unit.FineDigits(max(math.Abs(r.Reference), math.Abs(r.Candidate)), 0, r.Gain)
		t.add(fmt.Sprint(i+1), when(r.From), when(r.To), unit.Count(r.Train), unit.Count(r.Test), unit.Fixed(r.Reference, digits), unit.Fixed(r.Candidate, digits),
			unit.Signed(r.Gain, digits))
	}
	return e.show(c, t)
}

func pvalue(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("%.2g", p)
}
