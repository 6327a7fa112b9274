// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/ident"
	"flyball/serving/prediction"
)

// skewed is a pipeline of two features, x and city's place.
func skewed(t *testing.T) *pipeline.Fitted {
	t.Helper()
	f, err := pipeline.Fit(t.Context(), pipeline.Spec{
		Inputs: pipeline.Fields{{Name: "x", Kind: frame.Number}, {Name: "city", Kind: frame.Text}},
		Steps:  []pipeline.Step{{Op: "scale", In: []string{"x"}}, {Op: "ordinal", In: []string{"city"}}},
	}, frame.New(frame.NumberColumn("x", []float64{1, 3}), frame.TextColumn("city", []string{"a", "b"}, nil)), pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var nan32 = float32(math.NaN())

// scored is a record of the row, scored by the features.
func scored(i int, at time.Time, row string, features ...float32) prediction.Joined {
	r := prediction.Record{ID: ident.PredictionID(fmt.Sprint("p", i)), Model: "m", Version: 1, Arm: prediction.Live, Time: at, At: at, Due: at, Scores: []float64{1}, Row: json.RawMessage(row)}
	for _, x := range features {
		r.Vector = binary.LittleEndian.AppendUint32(r.Vector, math.Float32bits(x))
	}
	return prediction.Joined{Record: r}
}

func TestAReplayTellsWhichFeaturesDifferAndHow(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := []prediction.Joined{
		scored(0, at, `{"x":1,"city":"a","other":7}`, -1, 0),
		scored(1, at, `{"x":1,"city":"b"}`, 2, 1),
		scored(2, at, `{"x":1,"city":null}`, -1, 0),
		scored(3, at, `{"x":1,"city":"a"}`, nan32, 0),
		scored(4, at, `{"x":null,"city":"c"}`, nan32, 2),
	}
	var all []*prediction.Record
	for i := range rows {
		all = append(all, &rows[i].Record)
	}
	n, got, err := Replay(skewed(t), all)
	if err != nil || n != 5 || len(got) != 2 {
		t.Fatalf("%d rows, %+v, %v", n, got, err)
	}
	if x := got[0]; x.Feature != "x" || x.Mismatch != 1 || x.Missing != 1 || x.Extra != 0 || x.Example != "p1" || x.Served != 2 || x.Again != -1 {
		t.Errorf("x is %+v", x)
	}
	if c := got[1]; c.Feature != "city" || c.Mismatch != 0 || c.Missing != 0 || c.Extra != 1 || c.Example != "p2" {
		t.Errorf("city is %+v", c)
	}
	if n, got, err := Replay(skewed(t), []*prediction.Record{{Row: json.RawMessage(`{"x":1}`), Vector: make([]byte, 8)}}); n != 1 || len(got) != 2 || err != nil {
		t.Errorf("a row without a column: %d, %+v, %v", n, got, err)
	}
}

func TestSkewOpensAFindingAndThreeCleanWindowsCloseIt(t *testing.T) {
	day := 24 * time.Hour
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in := Input{Model: "m", Version: 1, Pipeline: skewed(t), State: Start(Policy{}, at), Now: at.Add(6 * day)}
	for d := range 5 {
		x := float32(-1)
		if d == 0 {
			x = -1.5
		}
		in.Rows = append(in.Rows, scored(d, at.Add(time.Duration(d)*day+time.Hour), `{"x":1,"city":"a"}`, x, 0))
	}
	other := scored(9, at.Add(2*time.Hour), `{"x":1,"city":"a"}`, 9, 9) // of another version
	other.Version = 2
	in.Rows = append(in.Rows[:1], append([]prediction.Joined{other}, in.Rows[1:]...)...)
	out := Step(in)
	if len(out.Findings) != 2 {
		t.Fatalf("the findings are %+v", out.Findings)
	}
	f := out.Findings[0]
	if f.Kind != Skew || f.Subject != "x" || f.Duty != "monitor" || f.Trigger || !strings.Contains(f.Text, "x is another in 1 of 1 row that were made into features again; such as p0, scored by -1.5, now -1") {
		t.Errorf("the finding is %+v", f)
	}
	if c := out.Findings[1]; c.ID != f.ID || !c.Closed.Equal(at.Add(4*day)) {
		t.Errorf("it closes as %+v", c)
	}
}
