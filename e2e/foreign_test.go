// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/api/wire"
)

// foreign is a version that MLflow's client registered, and what pyfunc says of the rows.
type foreign struct {
	Flavor      string
	Version     int
	Predictions []float64
}

// foreigners is a server with the bike model live, and versions of it that other
// libraries trained.
type foreigners struct {
	*server
	rows     []json.RawMessage
	versions []foreign
	now      time.Time
}

func brings(t *testing.T, flavors ...string) *foreigners {
	t.Helper()
	exe := python(t, "mlflow3")
	more, _ := filepath.Glob(filepath.Join("..", ".cache", "onnx", "lib", "python3*", "site-packages"))
	if len(more) == 0 {
		t.Skip("no .cache/onnx: scripts/setup.sh makes it")
	}
	past, coming := history(t)
	past = past[len(past)-150*24:]
	s := &foreigners{server: start(t, t.TempDir(), "--python", exe), now: coming[0].at}
	file := modelFile(t, append(byHand, [2]string{"canary: [{share: 50%, for: 1d}, {share: 100%}]", "canary: [{share: 100%}]"}, [2]string{"bake: {for: 7d}", "bake: {for: 0s}"})...)
	live(t, s.server, file, past)
	for _, h := range coming[:40] {
		s.rows = append(s.rows, h.row(nil))
	}
	site, err := filepath.Abs(more[0])
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), source)
	if err := os.WriteFile(data, csvFile(past), 0o600); err != nil {
		t.Fatal(err)
	}
	config := object{
		"data": data, "until": "2011-12-10T00:00:00", "rows": s.rows, "model": bike, "columns": inputs, "more": site, "flavors": flavors,
	}
	cmd := exec.CommandContext(t.Context(), exe, "-W", "ignore", filepath.Join("testdata", "mlflow", "foreign.py"), asText(t, config))
	cmd.Env = append(os.Environ(), clientOf(t, s.url)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.Bytes())
	}
	if err := json.Unmarshal(out, &s.versions); err != nil || len(s.versions) != len(flavors) {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

// judged asks for the verdict as a person does, while the clock's owner lets the jobs run.
func (s *foreigners) judged(t *testing.T, v foreign) {
	t.Helper()
	ref := fmt.Sprintf("%s@%d", bike, v.Version)
	got := make(chan result, 1)
	go func() { got <- runWithin(t, 3*time.Minute, s.url, "", "gate", ref, "--wait", "2m") }()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case r := <-got:
			tick.Stop()
			if r.code != 0 {
				t.Fatalf("flyball gate %s (%s): exit %d\n%s%s", ref, v.Flavor, r.code, r.out, r.stderr)
			}
			if native := strings.Contains(r.out, "scored in Go"); native != (v.Flavor == "sklearn") {
				t.Errorf("%s: the verdict is\n%s", v.Flavor, r.out)
			}
			return
		case <-tick.C:
			s.turn(t)
		}
	}
}

// turn lets the server do what is due.
func (s *foreigners) turn(t *testing.T) {
	t.Helper()
	if err := s.Advance(t.Context(), s.now); err != nil {
		t.Fatal(err)
	}
}

// released takes the version live.
func (s *foreigners) released(t *testing.T, v foreign) {
	t.Helper()
	command{args: fmt.Sprintf("promote %s@%d --why the,team's,own", bike, v.Version), says: strconv.Itoa(v.Version)}.check(t, s.url)
	for range 6 {
		s.now = s.now.Add(time.Minute)
		s.turn(t)
	}
	if st := status(t, s.server); st.Live != v.Version {
		t.Fatalf("%s: version %d is live, want %d: %+v %s", v.Flavor, st.Live, v.Version, st.Cells, s.said())
	}
}

// ask posts a request and returns the status and the answer.
func (s *foreigners) ask(t *testing.T, path string, body any, timeout string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(asText(t, body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if timeout != "" {
		req.Header.Set("X-Request-Timeout", timeout)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, raw
}

// answers are the predictions of the live version through each face.
func (s *foreigners) answers(t *testing.T) map[string][]float64 {
	t.Helper()
	out := map[string][]float64{}
	got, err := s.Predict(t.Context(), bike, s.rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Predictions {
		if p.Value == nil || p.Arm != "live" {
			t.Fatalf("%s is answered by %s %d with %v: %v", p.Key, p.Arm, p.Version, p.Value, s.said())
		}
		out["/v1"] = append(out["/v1"], *p.Value)
	}
	code, raw := s.ask(t, "/models/"+bike+"/invocations", object{"dataframe_records": s.rows}, "")
	var scored struct{ Predictions []any }
	if err := json.Unmarshal(raw, &scored); err != nil || code != http.StatusOK {
		t.Fatalf("invocations: %d %s", code, raw)
	}
	for _, p := range scored.Predictions {
		out["invocations"] = append(out["invocations"], number(t, p))
	}
	code, raw = s.ask(t, "/v2/models/"+bike+"/infer", object{"inputs": inferred{}.tensors(t, s.rows)}, "")
	var inferred struct{ Outputs []struct{ Data []float64 } }
	if err := json.Unmarshal(raw, &inferred); err != nil || code != http.StatusOK || len(inferred.Outputs) != 1 {
		t.Fatalf("infer: %d %s", code, raw)
	}
	out["/v2"] = inferred.Outputs[0].Data
	return out
}

// number is the one number of an answer that may stand in an object or a list.
func number(t *testing.T, v any) float64 {
	t.Helper()
	switch v := v.(type) {
	case float64:
		return v
	case []any:
		if len(v) == 1 {
			return number(t, v[0])
		}
	case object:
		for _, x := range v {
			if len(v) == 1 {
				return number(t, x)
			}
		}
	}
	t.Fatalf("%v is not one number", v)
	return 0
}

// TestModelsOfOtherLibrariesAreRegisteredJudgedReleasedAndAskedThroughEveryFace registers
// by MLflow's client, and releases one after the other. The last of them needs Python;
// its process is then killed.
func TestModelsOfOtherLibrariesAreRegisteredJudgedReleasedAndAskedThroughEveryFace(t *testing.T) {
	s := brings(t, "lightgbm", "xgboost", "onnx", "sklearn")
	for _, v := range s.versions {
		s.judged(t, v)
		s.released(t, v)
		s.agrees(t, v)
		s.explains(t, v)
	}
	if at := s.processes(t); len(at) != 1 {
		t.Fatalf("%d Python processes, want that of the live version: judging left some", len(at))
	}
	s.survives(t, s.versions[len(s.versions)-1], s.versions[0])
}

// agrees compares what every face answers with what pyfunc says. Trees of XGBoost and
// LightGBM are equal to the last bit; ONNX adds in float64 what onnxruntime adds in float32.
func (s *foreigners) agrees(t *testing.T, v foreign) {
	t.Helper()
	within := map[string]float64{"onnx": 1e-6}[v.Flavor]
	got := s.answers(t)
	for face, values := range got {
		if len(values) != len(v.Predictions) {
			t.Fatalf("%s by %s: %d answers, want %d", v.Flavor, face, len(values), len(v.Predictions))
		}
		for i, x := range values {
			if math.Abs(x-v.Predictions[i]) > within*math.Abs(v.Predictions[i]) {
				t.Errorf("%s by %s, row %d: %v, pyfunc says %v", v.Flavor, face, i, x, v.Predictions[i])
				break
			}
			if same := got["/v1"][i]; face == "/v2" && x != same {
				t.Errorf("%s by %s, row %d: %v, by /v1 %v", v.Flavor, face, i, x, same)
				break
			}
		}
	}
}

// explains asks for reasons: what the columns added makes the answer.
func (s *foreigners) explains(t *testing.T, v foreign) {
	t.Helper()
	got, err := s.PredictExplained(t.Context(), bike, s.rows[:2])
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Predictions {
		if len(p.Reasons) == 0 || p.Base == nil || p.Rest == nil || p.Value == nil || p.Version != v.Version {
			t.Fatalf("%s: %+v", v.Flavor, p)
		}
		sum := *p.Base + *p.Rest
		for _, r := range p.Reasons {
			sum += r.Contribution
		}
		if math.Abs(sum-*p.Value) > 1e-3 {
			t.Errorf("%s: the reasons add up to %v, the answer is %v", v.Flavor, sum, *p.Value)
		}
	}
}

// processes are the Python processes that the server has started.
func (s *foreigners) processes(t *testing.T) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(all) == 0 {
		t.Skip("there is no /proc to tell the server's processes")
	}
	var out []int
	for _, path := range all {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(s.cmd.Process.Pid) && f[0] != "Z" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, pid)
		}
	}
	return out
}

// survives kills the live version's process under load: who asks gets an answer of
// something else, or an error, in time; other versions notice nothing; and it comes back.
func (s *foreigners) survives(t *testing.T, v, other foreign) {
	t.Helper()
	const deadline = 2 * time.Second
	elsewhere := fmt.Sprintf("/v1/models/%s@%d/predict", bike, other.Version)
	for round := range 3 {
		pids := s.processes(t)
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		arms := map[string]int{}
		back := false
		for end := time.Now().Add(patience); !back; {
			if time.Now().After(end) {
				t.Fatalf("it does not come back: %v %s", arms, s.said())
			}
			began := time.Now()
			code, raw := s.ask(t, "/v1/models/"+bike+"/predict", object{"rows": s.rows[:1]}, deadline.String())
			if took := time.Since(began); took > deadline+time.Second {
				t.Errorf("round %d: %s after %v", round, raw, took)
			}
			arm := fmt.Sprint(code)
			if code == http.StatusOK {
				var got wire.PredictResponse
				if err := json.Unmarshal(raw, &got); err != nil || len(got.Predictions) != 1 || got.Predictions[0].Value == nil {
					t.Fatalf("%v: %s", err, raw)
				}
				p := got.Predictions[0]
				if arm = p.Arm; arm == "live" && *p.Value != v.Predictions[0] {
					t.Errorf("round %d: %v, want %v", round, *p.Value, v.Predictions[0])
				}
				now := s.processes(t)
				back = arm == "live" && len(now) == 1 && !slices.Contains(pids, now[0])
			} else if code < 500 {
				t.Errorf("round %d: %d %s", round, code, raw)
			}
			arms[arm]++
			code, raw = s.ask(t, elsewhere, object{"rows": s.rows[:1]}, "")
			var got wire.PredictResponse
			if err := json.Unmarshal(raw, &got); err != nil || code != http.StatusOK || *got.Predictions[0].Value != other.Predictions[0] {
				t.Fatalf("the other version: %d %s", code, raw)
			}
		}
		t.Logf("round %d: %v", round, arms)
	}
	s.agrees(t, v)
}
