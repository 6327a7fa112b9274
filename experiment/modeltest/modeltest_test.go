// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment/evaluation"
	"flyball/model"
	"flyball/serving/prediction"
)

// booking is a model of two columns: the score rises with lead time up to 100 days and
// falls beyond, and by 0.1 for agent 9.
type booking struct{ refuses bool }

func (booking) Inputs() []frame.Field {
	return []frame.Field{{Name: "lead_time", Kind: frame.Number}, {Name: "agent", Kind: frame.Text}}
}

func (booking) Decision(scores []float64) string {
	if scores[0] > 0.5 {
		return "hold"
	}
	return "sell"
}

func (m booking) Predict(_ context.Context, rows *frame.Frame) (model.Scores, error) {
	if m.refuses {
		return model.Scores{}, errors.New("it fell over")
	}
	lead, agent := rows.Column("lead_time"), rows.Column("agent")
	out := model.Scores{Outputs: 1, Values: make([]float64, rows.Rows())}
	for i := range out.Values {
		x := lead.Num[i]
		out.Values[i] = min(x, 200-x) / 200
		if agent.Text[i] == "9" {
			out.Values[i] += 0.1
		}
	}
	return out, nil
}

// bookings are four rows: of 10, 40, 90 and 150 days.
func bookings(t *testing.T) Subject {
	t.Helper()
	rows := frame.WithRows(4,
		frame.NumberColumn("lead_time", []float64{10, 40, 90, 150}),
		frame.TextColumn("agent", []string{"1", "9", "1", "1"}, nil),
		frame.TextColumn("hotel", []string{"City", "City", "Resort", "City"}, nil),
	)
	got, err := booking{}.Predict(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return Subject{Model: booking{}, Rows: rows, Sample: evaluation.Sample{
		Kind: dataset.Binary, Truth: []float64{0, 1, 1, 0}, Scores: map[string][]float64{prediction.Candidate: got.Values},
	}}
}

func limit(v float64) *Limit { l := Limit(v); return &l }

func TestATestSaysWhatFailedAndInWhichRow(t *testing.T) {
	most := &dataset.AtLeast{AtLeast: 0.75}
	for _, c := range []struct {
		name string
		test Test
		want Result
	}{
		{"a golden row between its limits, with its decision", Test{Golden: &Golden{
			Row: map[string]any{"lead_time": 100.0, "agent": "9"}, AtLeast: limit(0.5), AtMost: limit(0.7), Decision: "hold",
		}}, Result{Passed: true, Judged: true, Rows: 1, Text: "says hold; scores 0.600"}},
		{"a golden row outside its limit", Test{Golden: &Golden{
			Row: map[string]any{"lead_time": 20.0, "agent": nil}, AtLeast: limit(0.5),
		}}, Result{Judged: true, Rows: 1, Failed: 1, Text: "scores 0.100, at least 0.500 asked for"}},
		{"a golden row with another decision", Test{Golden: &Golden{
			Row: map[string]any{"lead_time": 20.0, "agent": "1"}, Decision: "hold",
		}}, Result{Judged: true, Rows: 1, Failed: 1, Text: "says sell, not hold"}},
		{
			"a golden row without an input",
			Test{Golden: &Golden{Row: map[string]any{"lead_time": 20.0}, Decision: "sell"}},
			Result{Judged: true, Text: "the row has no agent, which the model asks for; give it, or null for a missing value"},
		},
		{
			"a column that matters",
			Test{Invariance: &Invariance{Column: "agent", To: dataset.Values{"1", "9"}, AtMost: 0.02}},
			Result{Judged: true, Rows: 4, Failed: 4, Text: "in 4 of 4 rows; the first: agent from 1 to 9 moves the score by 0.100, at most 0.0200 asked for"},
		},
		{
			"a column that matters less than is asked",
			Test{Invariance: &Invariance{Column: "agent", To: dataset.Values{"9"}, Missing: true, AtMost: 0.1}},
			Result{Passed: true, Judged: true, Rows: 4, Text: "agent moves the score by at most 0.100, on 4 rows"},
		},
		{
			"the values of other rows",
			Test{Invariance: &Invariance{Column: "agent", AtMost: 0}},
			Result{Judged: true, Rows: 4, Failed: 2, Text: "in 2 of 4 rows; the first: agent from 9 to 1 moves the score by 0.100, at most 0.0 asked for"},
		},
		{
			"a column that the model does not look at",
			Test{Invariance: &Invariance{Column: "hotel", AtMost: 0}},
			Result{Passed: true, Judged: true, Rows: 4, Text: "the model does not look at hotel"},
		},
		{
			"a direction that does not hold everywhere",
			Test{Direction: &Direction{Column: "lead_time", By: 30, Must: "not_lower"}},
			Result{Judged: true, Rows: 4, Failed: 2, Text: "in 2 of 4 rows; the first: lead_time from 90 to 120 lowers the score by 0.0500"},
		},
		{
			"a direction that holds often enough",
			Test{Direction: &Direction{Column: "lead_time", By: 10, Must: "not_lower", Share: most}},
			Result{Passed: true, Judged: true, Rows: 4, Failed: 1, Text: "in 1 of 4 rows; the first: lead_time from 150 to 160 lowers the score by 0.0500"},
		},
		{
			"a direction within the slack",
			Test{Direction: &Direction{Column: "lead_time", By: 10, Must: "not_lower", Slack: 0.05}},
			Result{Passed: true, Judged: true, Rows: 4, Text: "lead_time +10.0 never lowers the score, on 4 rows"},
		},
		{
			"a text cannot be raised",
			Test{Direction: &Direction{Column: "agent", By: 1, Must: "not_lower"}},
			Result{Judged: true, Text: "agent is a text, which cannot be raised"},
		},
		{
			"a mean on a slice",
			Test{Expectation: &Expectation{Where: `hotel == "City"`, AtMost: limit(0.2), Rows: 3}},
			Result{Judged: true, Rows: 3, Text: "mean_score 0.200 on 3 rows", Passed: true},
		},
		{
			"a metric on a slice",
			Test{Expectation: &Expectation{Metric: "auc", AtLeast: limit(0.99), Rows: 4}},
			Result{Passed: true, Judged: true, Rows: 4, Text: "auc 1.00 on 4 rows"},
		},
		{
			"too few rows to say",
			Test{Expectation: &Expectation{Where: `hotel == "Resort"`, AtMost: limit(1)}},
			Result{Rows: 1, Text: "not judged: 1 rows, 30 needed"},
		},
		{
			"an expression that is none",
			Test{Expectation: &Expectation{Where: `hotle == "City"`, AtMost: limit(1)}},
			Result{Judged: true, Text: `the expression "hotle == \"City\"" cannot be read`},
		},
		{
			"columns as agreed, and one that may be missing",
			Test{Schema: &Schema{Inputs: pipeline.Fields(booking{}.Inputs()), Missing: []string{"agent"}}},
			Result{Passed: true, Judged: true, Rows: 4, Text: "takes 2 columns as agreed"},
		},
		{
			"a column that may not be missing",
			Test{Schema: &Schema{Missing: []string{"lead_time"}}},
			Result{Judged: true, Rows: 4, Failed: 1, Text: "lead_time missing gives no number"},
		},
		{
			"columns that were not agreed",
			Test{Schema: &Schema{Inputs: pipeline.Fields{{Name: "lead_time", Kind: frame.Text}, {Name: "hotel", Kind: frame.Text}}}},
			Result{Judged: true, Failed: 3, Text: "it takes lead_time as a number, not a text; it asks for agent, which was not agreed; it does not take hotel"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test.Name = c.name
			got, err := Run(t.Context(), []Test{c.test}, bookings(t))
			if err != nil {
				t.Fatal(err)
			}
			got[0].Text, _, _ = strings.Cut(got[0].Text, ": unknown")
			c.want.Name, c.want.Kind, c.want.Required = c.name, c.test.Kind(), true
			if d := cmp.Diff([]Result{c.want}, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOfManyRowsTheSameFewAreTried(t *testing.T) {
	n := 10_000
	lead, agent := make([]float64, n), make([]string, n)
	for i := range lead {
		lead[i], agent[i] = float64(i%100), "1"
	}
	s := Subject{Model: booking{}, Rows: frame.WithRows(n, frame.NumberColumn("lead_time", lead), frame.TextColumn("agent", agent, nil))}
	got, err := Run(t.Context(), []Test{{Direction: &Direction{Column: "lead_time", By: 0.5, Must: "not_lower"}}}, s)
	if err != nil || got[0].Rows != mostRows || !got[0].Passed || got[0].Name != "direction 1" {
		t.Errorf("%+v, %v", got, err)
	}
	if math.IsNaN(lead[1]) || lead[1] != 1 {
		t.Error("the rows were changed")
	}
}

func TestAModelThatCannotScoreIsAnError(t *testing.T) {
	s := bookings(t)
	s.Model = booking{refuses: true}
	if _, err := Run(t.Context(), []Test{{Schema: &Schema{Missing: []string{"agent"}}}}, s); err == nil || err.Error() != "it fell over" {
		t.Error(err)
	}
	if got, err := Run(t.Context(), nil, s); err != nil || len(got) != 0 {
		t.Errorf("without tests nothing is scored: %v, %v", got, err)
	}
}

func TestTheReportIsJUnit(t *testing.T) {
	var b strings.Builder
	err := WriteJUnit(&b, "hotel@7", []Result{
		{Name: "a regular is safe", Kind: "golden", Required: true, Passed: true, Judged: true, Text: "scores 0.100"},
		{Name: "agent <9>", Kind: "invariance", Required: true, Judged: true, Text: "in 4 of 4 rows"},
		{Name: "few", Kind: "expectation", Text: "not judged: 1 rows, 30 needed"},
		{Name: "a hint", Kind: "direction", Judged: true, Text: "in 1 of 4 rows"},
	})
	want := `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="hotel@7" tests="4" failures="1" skipped="1">
    <testcase classname="hotel@7.golden" name="a regular is safe">
      <system-out>scores 0.100</system-out>
    </testcase>
    <testcase classname="hotel@7.invariance" name="agent &lt;9&gt;">
      <failure type="invariance" message="in 4 of 4 rows"></failure>
    </testcase>
    <testcase classname="hotel@7.expectation" name="few">
      <skipped message="not judged: 1 rows, 30 needed"></skipped>
    </testcase>
    <testcase classname="hotel@7.direction" name="a hint">
      <system-out>in 1 of 4 rows</system-out>
    </testcase>
  </testsuite>
</testsuites>
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, b.String()))
	}
}
