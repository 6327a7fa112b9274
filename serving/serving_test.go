// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/model/constant"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/unit"
)

// memoryLog keeps records in a slice; it fails when told.
type memoryLog struct {
	mu   sync.Mutex
	kept []prediction.Record
	fail error
}

func (l *memoryLog) Append(_ context.Context, _, _ bool, rs ...prediction.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		l.kept = append(l.kept, rs...)
	}
	return l.fail
}

func (l *memoryLog) AppendLabels(context.Context, ...prediction.Label) (int, error) { return 0, nil }

func (l *memoryLog) Scan(context.Context, prediction.Query, func(prediction.Joined) error) error {
	return nil
}

// always is a bundle that answers v, whatever the number x of a row is. It needs the
// columns of inputs.
func always(t *testing.T, v float64, inputs ...string) *model.Bundle {
	t.Helper()
	fields := []frame.Field{}
	cols := []frame.Column{}
	for _, name := range inputs {
		fields = append(fields, frame.Field{Name: name, Kind: frame.Number})
		cols = append(cols, frame.NumberColumn(name, []float64{1, 2}))
	}
	rows := frame.WithRows(2, cols...)
	p, err := pipeline.Fit(context.Background(), pipeline.Spec{Inputs: fields}, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := p.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	file, err := constant.Fit(x, []float64{v, v}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.Make(context.Background(), blob.Memory(), model.Decoders{Estimators: map[string]func([]byte) (model.Estimator, error){"constant.json": constant.Decode}},
		model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Pipeline: p, Estimator: file, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var now = time.Date(2012, 1, 1, 12, 0, 0, 0, time.UTC)

func server(t *testing.T, e Entry) (*Server, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	s := New(Options{Log: log, Now: func() time.Time { return now }})
	e.Task = dataset.Task{Column: "y", Kind: dataset.Regression, ID: "ts", Time: "ts", Truth: dataset.Truth{Within: unit.Duration(time.Hour)}}
	if err := s.Publish("m", e); err != nil {
		t.Fatal(err)
	}
	return s, log
}

func ask(t *testing.T, s *Server, row string) prediction.Record {
	t.Helper()
	a, err := s.Predict(context.Background(), Request{Model: "m", Rows: []json.RawMessage{json.RawMessage(row)}})
	if err != nil {
		t.Fatal(err)
	}
	return a.Records[0]
}

func TestWhoAnswers(t *testing.T) {
	value := 7.0
	fallback := &release.Fallback{Column: "lag", Value: &value}
	row := `{"ts":"2012-01-01T07:00-05:00","x":1,"lag":5}`
	for _, c := range []struct {
		name    string
		route   release.Route
		row     string
		arm     string
		score   float64
		beside  map[string]float64 // role to score
		failing string             // role that could not score
	}{
		{"the live version, and the baseline scores beside it", release.Route{Live: 1, Baseline: 1}, row, "live", 10, map[string]float64{"baseline": 30}, ""},
		{"in the shadow the candidate scores and does not answer", release.Route{Live: 1, Candidate: 2, Both: true}, row, "live", 10, map[string]float64{"candidate": 20}, ""},
		{"at full share the candidate, and the live version beside it", release.Route{Live: 1, Candidate: 2, Both: true, Share: 1}, row, "candidate", 20, map[string]float64{"live": 10}, ""},
		{"the live version, where the candidate needs a column that is absent", release.Route{Live: 1, Candidate: 3, Both: true, Share: 1}, row, "live", 10, nil, "candidate"},
		{"the baseline, while the live version is worse than it", release.Route{Live: 1, Baseline: 1, Floor: true}, row, "baseline", 30, nil, ""},
		{"the fallback's column, when nothing is live", release.Route{Fallback: fallback}, row, "fallback", 5, nil, ""},
		{"the fallback's value, where its column is null", release.Route{Fallback: fallback}, `{"ts":"2012-01-01","lag":null}`, "fallback", 7, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Entry{Route: c.route, Versions: map[int]*model.Bundle{1: always(t, 10, "x"), 2: always(t, 20, "x"), 3: always(t, 40, "x", "z")}}
			if c.route.Baseline != 0 {
				e.Baseline = always(t, 30)
			}
			s, log := server(t, e)
			r := ask(t, s, c.row)
			if r.Arm != c.arm || len(r.Scores) != 1 || r.Scores[0] != c.score {
				t.Errorf("got %s %v, want %s %v", r.Arm, r.Scores, c.arm, c.score)
			}
			for _, o := range r.Others {
				if o.Error != "" {
					if o.Role != c.failing {
						t.Errorf("%s failed: %s", o.Role, o.Error)
					}
				} else if want, ok := c.beside[o.Role]; ok && o.Scores[0] != want {
					t.Errorf("beside: %s says %v, want %v", o.Role, o.Scores, want)
				}
			}
			if len(log.kept) != 1 || log.kept[0].ID != r.ID {
				t.Errorf("%d records kept", len(log.kept))
			}
		})
	}
}

func TestARecordSaysWhichRowWhenAndWhenItsTruthIsDue(t *testing.T) {
	s, _ := server(t, Entry{Route: release.Route{Live: 1, Generation: 9}, Versions: map[int]*model.Bundle{1: always(t, 10, "x")}})
	r := ask(t, s, `{"ts":"2012-01-01T07:00-05:00", "x": null}`)
	if r.Key != "2012-01-01T07:00-05:00" || !r.Time.Equal(now) || !r.Due.Equal(now.Add(time.Hour)) || r.Generation != 9 || !r.At.Equal(now) {
		t.Errorf("got %+v", r)
	}
	if string(r.Row) != `{"ts":"2012-01-01T07:00-05:00","x":null}` {
		t.Errorf("row: got %s", r.Row)
	}
}

func TestBadInputIsTheCallersAndNothingIsLogged(t *testing.T) {
	s, log := server(t, Entry{Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: always(t, 10, "x")}})
	for _, c := range []struct {
		name, row, want string
		kind            fault.Kind
	}{
		{"an absent input", `{"ts":"2012-01-01"}`, `row 0: column "x" is absent`, fault.Invalid},
		{"an absent key", `{"x":1}`, `row 0: column "ts" is absent`, fault.Invalid},
		{"a key that is null", `{"ts":null,"x":1}`, `column "ts" is empty`, fault.Invalid},
		{"a time that is none", `{"ts":"noon","x":1}`, `"noon" is not a time`, fault.Invalid},
		{"a wrong type", `{"ts":"2012-01-01","x":"1"}`, `row 0, column "x": "1" is not a number`, fault.Invalid},
		{"NaN", `{"ts":"2012-01-01","x":NaN}`, "row 0 is not valid JSON", fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Predict(context.Background(), Request{Model: "m", Rows: []json.RawMessage{json.RawMessage(c.row)}})
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := s.Predict(context.Background(), Request{Model: "other", Rows: []json.RawMessage{[]byte("{}")}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown model: got %v", err)
	}
	if _, err := s.Predict(context.Background(), Request{Model: "m", Rows: make([]json.RawMessage, 10_001)}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too many rows: got %v", err)
	}
	if len(log.kept) != 0 {
		t.Errorf("%d records were kept", len(log.kept))
	}
}

func TestADurableAnswerFailsWhenItsRecordCannotBeKept(t *testing.T) {
	s, log := server(t, Entry{Route: release.Route{Live: 1}, Durable: true, Versions: map[int]*model.Bundle{1: always(t, 10, "x")}})
	log.fail = errors.New("disk full")
	if _, err := s.Predict(context.Background(), Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"ts":"2012-01-01","x":1}`)}}); !errors.Is(err, log.fail) {
		t.Errorf("got %v", err)
	}
}

func TestAnOlderRouteAndOneThatIsNotLoadedAreRefused(t *testing.T) {
	s, _ := server(t, Entry{Route: release.Route{Live: 1, Generation: 5}, Versions: map[int]*model.Bundle{1: always(t, 10, "x")}})
	if err := s.Publish("m", Entry{Route: release.Route{Live: 1, Generation: 4}, Versions: map[int]*model.Bundle{1: always(t, 10, "x")}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("older: got %v", err)
	}
	if err := s.Publish("m", Entry{Route: release.Route{Live: 2, Generation: 6}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("not loaded: got %v", err)
	}
}

// TestNoRequestFailsWhileVersionsAreSwapped has four callers ask while the route
// moves a thousand times; every answer is that of the version that it names.
func TestNoRequestFailsWhileVersionsAreSwapped(t *testing.T) {
	versions := map[int]*model.Bundle{1: always(t, 1, "x"), 2: always(t, 2, "x")}
	s, _ := server(t, Entry{Route: release.Route{Live: 1}, Versions: versions})
	task := s.table.Load().entries["m"].Task
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := s.Predict(context.Background(), Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"ts":"2012-01-01","x":1}`), []byte(`{"ts":"2012-01-02","x":1}`)}})
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				for _, r := range a.Records {
					if r.Scores[0] != float64(r.Version) || r.Version != a.Records[0].Version || r.Generation != a.Generation {
						t.Errorf("version %d said %v in generation %d of %d", r.Version, r.Scores, r.Generation, a.Generation)
						return
					}
				}
			}
		})
	}
	for g := range 1000 {
		if err := s.Publish("m", Entry{Task: task, Route: release.Route{Live: 1 + g%2, Generation: int64(g + 1)}, Versions: versions}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	callers.Wait()
}
