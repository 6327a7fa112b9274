// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var grpcAt = regexp.MustCompile(`gRPC at ([0-9.:]+),`)

// inferred is a server with the bike model live, rows to ask it for, and what the
// native API says of them.
type inferred struct {
	*server
	http, grpc string // addresses
	rows       []json.RawMessage
	want       []float64
}

func infers(t *testing.T) inferred {
	t.Helper()
	past, coming := history(t)
	s := inferred{server: start(t, t.TempDir())}
	live(t, s.server, modelFile(t, byHand...), past[len(past)-60*24:])
	s.http = strings.TrimPrefix(s.url, "http://")
	s.grpc = grpcAt.FindStringSubmatch(s.said())[1]
	for _, h := range coming[:3] { // no value is missing: JSON of clients has no NaN
		s.rows = append(s.rows, h.row(nil))
	}
	got, err := s.Predict(t.Context(), bike, s.rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Predictions {
		s.want = append(s.want, *p.Value)
	}
	return s
}

// asText is v as JSON.
func asText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestClientsOfTheOpenInferenceProtocolWork(t *testing.T) {
	exe := python(t, "oip")
	s := infers(t)
	for _, script := range []string{"triton.py", "kserve_sdk.py"} {
		t.Run(script, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), exe, filepath.Join("testdata", "oip", script),
				s.http, s.grpc, bike, asText(t, s.rows), asText(t, s.want))
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.HasSuffix(bytes.TrimSpace(out), []byte("OK")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("mlserver infer", func(t *testing.T) { s.byMLServer(t, exe) })
	t.Run("grpcurl", s.byGRPCurl)
	t.Run("curl", s.byCurl)
}

// tensors are the rows as JSON tensors.
func (s inferred) tensors(t *testing.T, of []json.RawMessage) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, name := range append([]string{"ts"}, inputs...) {
		datatype, data := "FP64", []any{}
		for _, row := range of {
			var values map[string]any
			if err := json.Unmarshal(row, &values); err != nil {
				t.Fatal(err)
			}
			data = append(data, values[name])
		}
		if name == "ts" {
			datatype = "BYTES"
		}
		out = append(out, map[string]any{"name": name, "datatype": datatype, "shape": []int{len(of)}, "data": data})
	}
	return out
}

// byMLServer asks by the command infer, one row a request, two requests a batch.
func (s inferred) byMLServer(t *testing.T, exe string) {
	dir := t.TempDir()
	var in bytes.Buffer
	for _, row := range s.rows {
		fmt.Fprintln(&in, asText(t, map[string]any{"inputs": s.tensors(t, []json.RawMessage{row})}))
	}
	from, to := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	if err := os.WriteFile(from, in.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, binary := range [][]string{nil, {"-b"}} {
		args := append([]string{"infer", "-u", s.http, "-m", bike, "-i", from, "-o", to, "-s", "2", "-w", "2"}, binary...)
		cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(exe), "mlserver"), args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		raw, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		got := map[float64]bool{}
		for line := range strings.Lines(string(raw)) {
			var answer struct {
				Outputs []struct{ Data []float64 }
			}
			if err := json.Unmarshal([]byte(line), &answer); err != nil || len(answer.Outputs) != 1 {
				t.Fatalf("%v: %s", err, line)
			}
			got[answer.Outputs[0].Data[0]] = true
		}
		for _, want := range s.want {
			if !got[want] {
				t.Errorf("%v: no answer is %v: %s", binary, want, raw)
			}
		}
	}
}

// byGRPCurl knows of the protocol only what the server tells by reflection.
func (s inferred) byGRPCurl(t *testing.T) {
	exe, err := filepath.Abs("../.cache/bin/grpcurl")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(exe); err != nil {
		t.Skip("no .cache/bin/grpcurl: scripts/setup.sh builds it")
	}
	call := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), exe, append([]string{"-plaintext"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	const service = "inference.GRPCInferenceService"
	if got := call(s.grpc, "list"); !strings.Contains(got, service) || !strings.Contains(got, "grpc.health.v1.Health") {
		t.Errorf("list says %s", got)
	}
	if got := call(s.grpc, "describe", service+".ModelInfer"); !strings.Contains(got, "rpc ModelInfer") {
		t.Errorf("describe says %s", got)
	}
	if got := call("-d", `{"service":"`+service+`"}`, s.grpc, "grpc.health.v1.Health/Check"); !strings.Contains(got, "SERVING") {
		t.Errorf("health says %s", got)
	}
	inputs := s.tensors(t, s.rows)
	for _, in := range inputs {
		field := "fp64_contents"
		if in["datatype"] == "BYTES" {
			field = "bytes_contents"
			for i, v := range in["data"].([]any) {
				in["data"].([]any)[i] = []byte(v.(string)) // base64, as protobuf's JSON has bytes
			}
		}
		in["contents"] = map[string]any{field: in["data"]}
		delete(in, "data")
	}
	got := call("-d", asText(t, map[string]any{"model_name": bike, "inputs": inputs}), s.grpc, service+"/ModelInfer")
	var answer struct {
		Outputs []struct {
			Contents struct{ Fp64Contents []float64 }
		}
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil || len(answer.Outputs) != 1 ||
		fmt.Sprint(answer.Outputs[0].Contents.Fp64Contents) != fmt.Sprint(s.want) {
		t.Errorf("%v: got %s, want %v", err, got, s.want)
	}
}

// byCurl asks as a person would, nested data among it, and reads what was wrong.
func (s inferred) byCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	post := func(body string) (int, string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "curl", "-s", "-w", "\n%{http_code}", "-d", "@-", s.url+"/v2/models/"+bike+"/infer")
		cmd.Stdin = strings.NewReader(body)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndexByte(out, '\n')
		code, err := strconv.Atoi(string(out[at+1:]))
		if err != nil {
			t.Fatal(err)
		}
		return code, string(out[:at])
	}
	matrix := make([][]any, len(s.rows))
	for _, in := range s.tensors(t, s.rows)[1:] {
		for i, v := range in["data"].([]any) {
			matrix[i] = append(matrix[i], v)
		}
	}
	side := map[string]any{"name": "rows", "datatype": "FP64", "shape": []int{len(s.rows), len(inputs)}, "data": matrix}
	code, got := post(asText(t, map[string]any{"inputs": []any{s.tensors(t, s.rows)[0], side}}))
	if want := `"data":` + asText(t, s.want); code != http.StatusOK || !strings.Contains(got, want) {
		t.Errorf("got %d %s, want %s", code, got, want)
	}
	ts := asText(t, s.tensors(t, s.rows[:1])[0])
	for _, c := range []struct{ body, want string }{
		{`{"inputs":[` + ts + `,{"name":"hr","datatype":"FP64","shape":[1],"data":[NaN]}]}`, `input \"hr\", row 0: NaN is not JSON`},
		{`{"inputs":[` + ts + `]}`, `input \"hr\" is absent`},
		{`{}`, "has no inputs"},
	} {
		if code, got := post(c.body); code != http.StatusBadRequest || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %d %s, want %s", c.body, code, got, c.want)
		}
	}
}
