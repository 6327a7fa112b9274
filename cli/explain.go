// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/model/counterfactual"
	"flyball/serving/prediction"
)

func explainCommand(e *env) *cobra.Command {
	var model, against string
	var flip bool
	c := &cobra.Command{
		Use: "explain ID|KEY", Short: "Why a prediction was what it was (exit 3: its version says something else now)", Args: cobra.ExactArgs(1),
		Long: "A prediction of the log: its score and what the model file makes of it, what was unusual\n" +
			"about the row, and what each column added. The row is scored again by the version that\n" +
			"answered it, and must come out equal to the last bit. A key means its newest prediction.\n\n" +
			"With --against another version explains the same row, and the two are told apart column\n" +
			"by column.\n\n" +
			"With --flip it says what would have had to be different for the other decision: the smallest changes, within\n" +
			"explain.flip of the model file. It says what moves the model; it is no advice.",
		Example: "  flyball explain b-17 --model hotel-cancel\n" +
			"  flyball explain 01946b3c-9a52-7c31-9f0d-2b8f3c1d7e60 -m hotel-cancel -o json\n" +
			"  flyball explain b-17 -m hotel-cancel --against 6\n" +
			"  flyball explain b-17 -m hotel-cancel --flip",
		RunE: func(cmd *cobra.Command, args []string) error {
			var named []string
			if model != "" {
				named = []string{model}
			}
			name, err := e.model(cmd.Context(), named)
			if err != nil {
				return err
			}
			got, err := e.client().Explain(cmd.Context(), name, args[0], against, flip)
			if err != nil {
				return err
			}
			return e.showExplained(got)
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "", "the model; not needed where there is one")
	c.Flags().StringVar(&against, "against", "", "another version on the same row: 6, candidate or model@6")
	c.Flags().BoolVar(&flip, "flip", false, "the smallest changes that would flip the decision")
	return c
}

// showExplained tells an explanation in words, and as a table of what each column added.
func (e *env) showExplained(x wire.Explained) error {
	if e.format == "table" || e.format == "wide" {
		for _, line := range inWords(x) {
			fmt.Fprintln(e.out, tidy([]string{line}))
		}
		fmt.Fprintln(e.out)
	}
	t := table{head: []string{"column", "value", "added", "error"}, short: 3}
	if x.Against != nil {
		t = table{head: []string{"column", "value", "v" + strconv.Itoa(x.Version), x.Against.Ref, "difference"}}
		for _, d := range x.Against.Differences {
			t.add(d.Feature, string(d.Value), signed(d.Here), signed(d.There), signed(d.Difference))
		}
	} else if x.Reasons != nil {
		for _, r := range x.Reasons.Top {
			t.add(r.Feature, string(r.Value), signed(r.Contribution), number(r.Error))
		}
		t.add("base", "", signed(x.Reasons.Base), "")
	}
	if err := e.show(x, t); err != nil {
		return err
	}
	if !x.Replay.Equal && x.Replay.Scores != nil {
		return errNo
	}
	return nil
}

// inWords is a prediction as a person would tell it: what was said, what was unusual,
// why, and whether it still holds.
func inWords(x wire.Explained) []string {
	who := fmt.Sprintf("v%d, %s", x.Version, x.Arm)
	if x.Version == 0 {
		who = "the fallback"
	}
	key := ""
	if x.Key != "" {
		key = " of " + x.Key
	}
	out := []string{fmt.Sprintf("prediction %s%s by %s of %s, answered %s", x.ID, key, who, x.Model, when(x.At))}
	out = append(out, "said      "+said(x.Scores, x.Classes, x.Decision)+rule(x))
	if x.Truth != nil {
		out = append(out, "truth     "+*x.Truth)
	}
	unusual := "nothing"
	if len(x.Flags) > 0 {
		unusual = strings.Join(x.Flags, ", ")
	}
	out = append(out, "unusual   "+unusual)
	if x.Unexplained != "" {
		out = append(out, "because   no reasons: "+x.Unexplained)
	} else if x.Reasons != nil {
		out = append(out, "because   "+because(*x.Reasons))
	}
	switch {
	case x.Replay.Equal:
		out = append(out, "replayed  equal to the last bit")
	case x.Replay.Scores == nil:
		out = append(out, "replayed  not: "+x.Replay.Why)
	default:
		out = append(out, "replayed  not equal: "+x.Replay.Why)
	}
	for i, f := range x.Flips {
		head := "flips     "
		if i > 0 {
			head = "or        "
		}
		out = append(out, head+flipped(f))
	}
	if x.Unflippable != "" {
		out = append(out, "flips     no change was found: "+x.Unflippable)
	}
	if a := x.Against; a != nil {
		out = append(out, fmt.Sprintf("against   %s says %s", a.Ref, said(a.Scores, x.Classes, a.Decision)))
		if a.Unexplained != "" {
			out = append(out, "          no reasons: "+a.Unexplained)
		}
		if a.Note != "" {
			out = append(out, "          "+a.Note)
		}
	}
	return out
}

// flipped is a flip in words: lead_time 41 to 12 and meal "BB" to "HB": sell.
func flipped(f counterfactual.Flip) string {
	parts := make([]string, len(f.Changes))
	for i, c := range f.Changes {
		parts[i] = fmt.Sprintf("%s %s to %s", c.Column, c.From, c.To)
	}
	return strings.Join(parts, " and ") + ": " + said(f.Scores, nil, f.Decision)
}

// said are scores and what was decided of them.
func said(scores []float64, classes []string, decision string) string {
	out := make([]string, len(scores))
	for i, s := range scores {
		out[i] = number(s)
		if len(classes) == len(scores) && len(scores) > 1 {
			out[i] = classes[i] + " " + out[i]
		}
	}
	text := strings.Join(out, ", ")
	if text == "" {
		text = "nothing"
	}
	if decision != "" {
		text += ": " + decision
	}
	return text
}

// rule is how the decision follows from the score.
func rule(x wire.Explained) string {
	if x.Decide == nil || len(x.Scores) != 1 {
		return ""
	}
	return fmt.Sprintf(" (above %s: %s)", number(x.Decide.Above), x.Decide.Then)
}

// because are reasons in words: what raised and lowered the score, the greatest first.
func because(r prediction.Reasons) string {
	const most = 5
	parts := make([]string, 0, most+1)
	rest := r.Rest
	for i, one := range r.Top {
		if i >= most {
			rest += one.Contribution
			continue
		}
		way := "raised"
		if one.Contribution < 0 {
			way = "lowered"
		}
		parts = append(parts, fmt.Sprintf("%s%s %s it by %s", one.Feature, spaced(one.Value), way, number(math.Abs(one.Contribution))))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("no column moved it from %s (%s)", number(r.Base), r.Space)
	}
	if rest != 0 {
		parts = append(parts, "all others by "+signed(rest))
	}
	of := ""
	if r.Class != "" {
		of = " of " + r.Class
	}
	return fmt.Sprintf("from %s%s, %s: %s (%s)", number(r.Base), of, strings.Join(parts, ", "), number(r.Margin), r.Space)
}

func spaced(v json.RawMessage) string {
	if len(v) == 0 {
		return ""
	}
	return " " + string(v)
}

// signed is a figure with its sign.
func signed(x float64) string { return fmt.Sprintf("%+.4g", x) }
