// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startLimit is how long a peer may take to its first answer.
const startLimit = 90 * time.Second

// work is one run: what is measured, and with what.
type work struct {
	settings
	real *served
	rows [][]float64
	want map[string][]float64
}

// line is a line of the table: a server that is asked over HTTP.
type line struct {
	name  string
	peer  bool
	path  string
	model string // whose answers are expected
	body  func(row []float64) []byte
	start func(port string) []string // nil: our real server
}

func (w *work) header() {
	fmt.Printf("%-38s %10s %13s %9s %9s %7s\n", "one row a request", "requests/s", "a core-second", "p50", "p99", "failed")
}

// trees measures the servers with 300 trees of depth 6 and 30 numbers.
func (w *work) trees(ctx context.Context) {
	script := func(python, name string) func(string) []string {
		return func(port string) []string { return []string{python, "bench/serving/" + name, w.real.model, port} }
	}
	got := map[string]float64{} // requests a core-second
	best := ""
	for _, l := range []line{
		{name: "Flyball, the face alone, a constant", path: "/v1/models/m/predict", body: asRows, start: w.face("mean")},
		{name: "Flyball, the face alone", path: "/v1/models/m/predict", body: asRows, model: "trees", start: w.face("trees")},
		{name: "Flyball, a constant", path: "/v1/models/mean/predict", body: asRows},
		{name: "Flyball", path: "/v1/models/trees/predict", body: asRows, model: "trees"},
		{name: "Flyball, /invocations", path: "/models/trees/invocations", body: asSplit, model: "trees"},
		{name: "Flyball, /v2 REST", path: "/v2/models/trees/infer", body: asTensor, model: "trees"},
		{name: "Flyball, /v2 gRPC", model: "trees"},
		{name: "FastAPI + xgboost", peer: true, path: "/predict", body: asRows, model: "trees", start: script(w.peers, "fastapi_xgboost.py")},
		{name: "FastAPI + onnxruntime", peer: true, path: "/predict", body: asRows, model: "trees", start: script(w.peers, "fastapi_onnx.py")},
		{name: "mlflow models serve", peer: true, path: "/invocations", body: asSplit, model: "trees", start: script(w.peers, "mlflow_serve.py")},
		{name: "MLServer", peer: true, path: "/v2/models/m/infer", body: asTensor, model: "trees", start: script(w.peers, "mlserver_model.py")},
		{name: "BentoML", peer: true, path: "/predict", body: asRows, model: "trees", start: script(w.peers, "bentoml_xgboost.py")},
		{name: "Ray Serve", peer: true, path: "/predict", body: asRows, model: "trees", start: script(w.ray, "ray_serve.py")},
	} {
		r, ok := w.line(ctx, l)
		if !ok {
			continue
		}
		got[l.name] = r.perCore
		if l.peer && r.perCore > got[best] {
			best = l.name
		}
	}
	for _, face := range []string{"Flyball, the face alone", "Flyball"} {
		if trees := got[face]; trees > 0 && got[face+", a constant"] > 0 {
			fmt.Printf("%s: a request of 300 trees takes %.2f × that of a constant\n", face, got[face+", a constant"]/trees)
		}
	}
	for _, face := range []string{"Flyball", "Flyball, /invocations", "Flyball, /v2 REST", "Flyball, /v2 gRPC"} {
		if best != "" && got[face] > 0 {
			fmt.Printf("%s: %.1f × of %s, the best of the peers, a core-second\n", face, got[face]/got[best], best)
		}
	}
}

// python measures a model that only Python can score.
func (w *work) python(ctx context.Context) {
	ours, _ := w.line(ctx, line{name: "Flyball, sklearn in Python", path: "/v2/models/pickle/infer", body: asTensor, model: "pickle"})
	theirs, _ := w.line(ctx, line{name: "MLServer, sklearn", path: "/v2/models/m/infer", body: asTensor, model: "pickle", start: func(port string) []string {
		return []string{w.peers, "bench/serving/mlserver_model.py", w.real.pickle, port}
	}})
	if ours.perCore > 0 && theirs.perCore > 0 {
		fmt.Printf("scikit-learn in Python: %.1f × of MLServer a core-second, %.1f × a second\n", ours.perCore/theirs.perCore, ours.perSecond/theirs.perSecond)
	}
}

// face starts our own face alone.
func (w *work) face(model string) func(string) []string {
	return func(port string) []string {
		self, _ := os.Executable() // where there is none, nothing starts
		return []string{self, "alone", filepath.Join(w.dir, "data", "blobs"), string(w.real.bundles[model]), "127.0.0.1:" + port, filepath.Join(w.dir, "alone-"+model)}
	}
}

// line measures one server and prints it. A server that does not answer, or not what
// the model says, is named and left out.
func (w *work) line(ctx context.Context, l line) (result, bool) {
	if ctx.Err() != nil || !strings.Contains(l.name, w.only) {
		return result{}, false
	}
	r, err := w.measure(ctx, l)
	if err != nil {
		fmt.Printf("%-38s left out: %v\n", l.name, err)
		return r, false
	}
	fmt.Printf("%-38s %10.0f %13.0f %9s %9s %7d\n", l.name, r.perSecond, r.perCore, r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond), r.failed)
	if r.first != nil {
		fmt.Printf("  the first that failed: %v\n", r.first)
	}
	return r, true
}

func (w *work) measure(ctx context.Context, l line) (result, error) {
	if l.path == "" {
		ask, done, err := overGRPC(w.real.grpc, "trees", w.rows, w.want[l.model], w.callers)
		defer done()
		if err != nil {
			return result{}, err
		}
		return w.asked(ctx, ask, w.real.process)
	}
	if l.start == nil {
		return w.asked(ctx, overHTTP(w.real.url+l.path, l.body, w.rows, w.want[l.model], w.callers), w.real.process)
	}
	port, err := freePort()
	if err != nil {
		return result{}, err
	}
	p, err := begin(ctx, w.dir, l.start(port)...)
	if err != nil {
		return result{}, err
	}
	defer p.stop()
	return w.asked(ctx, overHTTP("http://127.0.0.1:"+port+l.path, l.body, w.rows, w.want[l.model], w.callers), p)
}

func (w *work) asked(ctx context.Context, ask asker, p *process) (result, error) {
	if err := ask.ready(ctx, startLimit); err != nil {
		return result{}, fmt.Errorf("%w: %s", err, p.said())
	}
	return ask.measure(ctx, p.pid(), w.settings)
}
