// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/model"
	"flyball/model/registry"
)

// served is the real server, as a user runs it, with the models that are measured live.
type served struct {
	*process
	url, grpc string
	bundles   map[string]blob.Digest
	model     string // file of the trees, as XGBoost reads it
	pickle    string // file of the model that needs Python
}

// serve starts the server, built where no binary is given, trains the models there, and registers the one
// that needs Python. Who is done stops it.
func serve(ctx context.Context, s settings) (*served, error) {
	binary, data := s.binary, filepath.Join(s.dir, "data")
	if binary == "" {
		binary = filepath.Join(s.dir, "flyball")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/flyball").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("the server cannot be built: %w\n%s", err, out)
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	second, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{binary, "serve", "--data", data, "--listen", "127.0.0.1:" + port, "--grpc", "127.0.0.1:" + second}
	if s.pickles() {
		args = append(args, "--python", s.peers)
	}
	p, err := begin(ctx, s.dir, args...)
	if err != nil {
		return nil, err
	}
	out := &served{process: p, url: "http://127.0.0.1:" + port, grpc: "127.0.0.1:" + second, bundles: map[string]blob.Digest{}}
	if err := out.prepare(ctx, s, data); err != nil {
		out.stop()
		return nil, err
	}
	return out, nil
}

func (r *served) prepare(ctx context.Context, s settings, data string) error {
	c := client.New(r.url, "", http.DefaultClient)
	if err := patient(ctx, time.Minute, func() error { _, err := c.Health(ctx); return err }); err != nil {
		return fmt.Errorf("the server does not come up: %w: %s", err, r.said())
	}
	rows, err := table()
	if err != nil {
		return err
	}
	up, err := c.Upload(ctx, bytes.NewReader(rows))
	if err != nil {
		return err
	}
	for name, train := range map[string]string{
		"trees": "{with: builtin/gbdt, settings: {trees: 300, depth: 6, learning_rate: 0.1}, seed: 7, refit: never}",
		"mean":  "{with: builtin/constant, settings: {}, seed: 7, refit: never}",
	} {
		if _, err := c.Apply(ctx, wire.ApplyRequest{
			Name: "model.yaml", File: modelFile(name, train), Data: map[string]registry.DataFile{source: {Digest: blob.Digest(up.Digest), Size: up.Size}},
		}); err != nil {
			return err
		}
	}
	for name := range map[string]bool{"trees": true, "mean": true} {
		err := patient(ctx, 2*time.Minute, func() error {
			st, err := c.Status(ctx, name)
			if err == nil && st.Live == 0 {
				err = fmt.Errorf("%s is not live yet: %v", name, st.Cells)
			}
			return err
		})
		if err != nil {
			return err
		}
		vs, err := c.Versions(ctx, name)
		if err != nil {
			return err
		}
		r.bundles[name] = vs[0].Bundle
	}
	if s.pickles() {
		r.pickle = filepath.Join(s.dir, "pickle.joblib")
		if out, err := exec.CommandContext(ctx, s.peers, "bench/serving/register.py", r.url, r.pickle).CombinedOutput(); err != nil {
			return fmt.Errorf("the model in Python cannot be registered: %w\n%s", err, out)
		}
	}
	return r.take(ctx, s, data)
}

// take writes the trees as the peers read them: a bundle's estimator is a file of XGBoost.
func (r *served) take(ctx context.Context, s settings, data string) error {
	blobs, err := blob.OpenDir(filepath.Join(data, "blobs"))
	if err != nil {
		return err
	}
	defer blobs.Close()
	m, err := model.ReadManifest(ctx, blobs, r.bundles["trees"])
	if err != nil {
		return err
	}
	raw, err := blob.ReadAll(ctx, blobs, m.Files[m.Estimator], 1<<30)
	if err != nil {
		return err
	}
	r.model = filepath.Join(s.dir, "model.json")
	return os.WriteFile(r.model, raw, 0o600)
}

// patient tries until it works, for so long at most.
func patient(ctx context.Context, most time.Duration, try func() error) error {
	until := time.Now().Add(most)
	for {
		err := try()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if time.Now().After(until) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// source is the data file that the model files name.
const source = "rows.csv.gz"

// table is what the models learn from: 20,000 rows, of whose numbers five matter.
func table() ([]byte, error) {
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	fmt.Fprintf(z, "%s,y\n", strings.Join(names(), ","))
	random := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		sum := random.NormFloat64()
		for i := range features {
			x := random.NormFloat64()
			if i < 5 {
				sum += x
			}
			fmt.Fprintf(z, "%.6f,", x)
		}
		y := 0
		if sum > 0 {
			y = 1
		}
		fmt.Fprintf(z, "%d\n", y)
	}
	err := z.Close()
	return text.Bytes(), err
}

// modelFile takes its first version live at once, with the log and the watch that every
// model has by default.
func modelFile(name, train string) string {
	var inputs strings.Builder
	for _, n := range names() {
		fmt.Fprintf(&inputs, "    %s: number\n", n)
	}
	return fmt.Sprintf(`apiVersion: flyball/v1
kind: Model
name: %s
risk: low
predict: {column: y, kind: binary}
data: {source: %s, also: none, train: all, test: {at_least: 4000}}
pipeline:
  inputs:
%s  steps: []
train: %s
gate:
  baseline: builtin/constant
  metrics: [{name: log_loss, require: {at_most: 1}}]
release:
  shadow: {for: 0s, at_least: 0}
  canary: [{share: 100%%}]
  bake: {for: 7d}
watch: {every: 1d}
retrain: {when: [schedule], every: 90d}
duties:
  feed: {owner: a, backup: b, within: 4h}
  monitor: {owner: a, backup: b, within: 4h}
  retrain: {owner: a, backup: b, within: 4h}
  fix: {owner: a, backup: b, within: 4h}
`, name, source, inputs.String(), train)
}
