// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/linear"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// whys is a log of reasons in memory.
type whys struct {
	mu   sync.Mutex
	kept []prediction.Reasoned
}

func (w *whys) AppendReasons(_ context.Context, rs ...prediction.Reasoned) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, rs...)
	return nil
}

// weighted is a linear bundle: its columns are a, b, … with weights 1, 2, … and the
// means 0.
func weighted(t *testing.T, columns int) *model.Bundle {
	t.Helper()
	m := linear.Model{Kind: dataset.Regression, Fill: make([]float64, columns), Coefficients: [][]float64{make([]float64, columns)}, Intercepts: []float64{10}}
	var cols []frame.Column
	for j := range columns {
		m.Coefficients[0][j] = float64(j + 1)
		cols = append(cols, frame.NumberColumn(string(rune('a'+j)), []float64{0, 1}))
	}
	rows := frame.New(cols...)
	p, err := pipeline.Fit(t.Context(), pipeline.Spec{Inputs: rows.Fields()}, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	file, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.Make(t.Context(), blob.Memory(), model.Decoders{Estimators: map[string]func([]byte) (model.Estimator, error){"linear.json": linear.Decode}},
		model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Pipeline: p, Estimator: file, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// explained is a server of a linear model with its reasoner, which does not run yet.
func explained(t *testing.T, keep string, opts ReasonerOptions) (*Server, *Reasoner, *whys) {
	t.Helper()
	kept := &whys{}
	opts.Log = kept
	r := NewReasoner(opts)
	s := New(Options{Log: &memoryLog{}, Now: func() time.Time { return now }, Reasons: r})
	e := Entry{Explain: keep, Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: weighted(t, 7)}, Task: dataset.Task{Column: "y", Kind: dataset.Regression}}
	if err := s.Publish("m", e); err != nil {
		t.Fatal(err)
	}
	return s, r, kept
}

const sevenColumns = `{"a":1,"b":-1,"c":1,"d":0,"e":2,"f":0.5,"g":1}`

func TestAnAnswerSaysWhyWhereItIsAsked(t *testing.T) {
	s, _, _ := explained(t, KeepNone, ReasonerOptions{})
	a, err := s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{json.RawMessage(sevenColumns)}, Explain: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(a.Reasons[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"method":"linear","space":"value","version":1,"margin":32,"base":10,"top":[` +
		`{"feature":"e","value":2,"contribution":10},{"feature":"g","value":1,"contribution":7},{"feature":"c","value":1,"contribution":3},` +
		`{"feature":"f","value":0.5,"contribution":3},{"feature":"b","value":-1,"contribution":-2}],"rest":1}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if a, err = s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{json.RawMessage(sevenColumns)}}); err != nil || a.Reasons != nil {
		t.Errorf("not asked: %v, %v", a.Reasons, err)
	}
}

func TestReasonsAreKeptAfterTheAnswerAsTheModelFileSays(t *testing.T) {
	for _, c := range []struct {
		keep string
		want int
	}{{KeepAll, 3}, {KeepFlagged, 0}, {KeepNone, 0}} {
		t.Run(c.keep, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, r, kept := explained(t, c.keep, ReasonerOptions{})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- r.Run(ctx) }()
				row := json.RawMessage(sevenColumns)
				a, err := s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{row, row, row}})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(kept.kept) != c.want {
					t.Fatalf("got %d, want %d", len(kept.kept), c.want)
				}
				for i, k := range kept.kept {
					var why prediction.Reasons
					if err := json.Unmarshal(k.Reasons, &why); err != nil {
						t.Fatal(err)
					}
					if k.ID != a.Records[i].ID || why.Margin != 32 || why.Version != 1 || why.Top[0].Value != nil {
						t.Errorf("prediction %d: got %+v", i, why)
					}
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestFlaggedPredictionsTakeTheRoomOfOthersAndAreExplainedToTheEnd(t *testing.T) {
	s, r, kept := explained(t, KeepAll, ReasonerOptions{Rows: 3})
	p := s.take("m")
	defer p.drop()
	record := func(i int, flags ...string) prediction.Record {
		return prediction.Record{ID: "00000000-0000-7000-8000-00000000000" + ident.PredictionID(ids[i:i+1]), Model: "m", Version: 1, Arm: prediction.Live, Row: json.RawMessage(sevenColumns), Scores: []float64{32}, Flags: flags}
	}
	var rs []prediction.Record
	for i := range 5 {
		rs = append(rs, record(i))
	}
	r.keep(t.Context(), p, rs, nil)
	r.keep(t.Context(), p, []prediction.Record{record(5, "unseen:a"), record(6, "unseen:b")}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it ends at once: what is flagged is explained still
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range kept.kept {
		got = append(got, string(k.ID[len(k.ID)-1:]))
	}
	if want := []string{"5", "6"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := p.uses.Load(); n != 2 { // the table's and the test's
		t.Errorf("%d uses of the entry are left", n)
	}
	r.keep(t.Context(), p, rs, nil)
	if len(r.plain) != 0 {
		t.Error("it takes rows after its end")
	}
}

// ids are the last figures of the ids of the test's predictions.
const ids = "0123456789"

func TestAVersionThatCannotBeExplainedIsTold(t *testing.T) {
	d := model.Decoders{Scorers: map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){
		"it.bin": func(context.Context, model.Manifest, model.Files) (model.Scorer, error) { return seven{}, nil },
	}}
	b, err := model.Hold(t.Context(), d, model.Manifest{Model: "m", Estimator: "it.bin"}, nothing{})
	if err != nil {
		t.Fatal(err)
	}
	records := []prediction.Record{{Version: 1, Arm: prediction.Live, Scores: []float64{7}}}
	got, why := explain(t.Context(), func(*prediction.Record) *model.Bundle { return b }, input{raw: []json.RawMessage{json.RawMessage(`{"a":1}`)}}, records)
	if got[0] != nil || why == "" {
		t.Errorf("got %v, %q", got[0], why)
	}
	got, why = explain(t.Context(), func(*prediction.Record) *model.Bundle { return nil }, input{}, records)
	if got[0] != nil || why != "" {
		t.Errorf("the fallback: got %v, %q", got[0], why)
	}
}

type seven struct{}

func (seven) Inputs() []frame.Field { return []frame.Field{{Name: "a", Kind: frame.Number}} }
func (seven) Outputs() int          { return 1 }
func (seven) Score(_ context.Context, rows *frame.Frame) (model.Scores, error) {
	out := model.Scores{Outputs: 1}
	for range rows.Rows() {
		out.Values = append(out.Values, 7)
	}
	return out, nil
}

type nothing struct{}

func (nothing) Names() []string { return nil }
func (nothing) Read(name string) ([]byte, error) {
	return nil, fault.New(fault.NotFound, "%s", fmt.Sprint(name))
}
