// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// prepare makes experiments, a run for each client, the runs that are searched and the
// long history. MLflow's are put into its database by SQL, since its server would need
// an hour; ours go over the API.
func prepare(ctx context.Context, s settings, t *target) (*bench, error) {
	b := &bench{points: s.points}
	var err error
	if b.experiment, err = t.experiment(ctx, "written"); err != nil {
		return nil, err
	}
	if b.searched, err = t.experiment(ctx, "searched"); err != nil {
		return nil, err
	}
	for range s.clients {
		run, err := t.run(ctx, b.experiment)
		if err != nil {
			return nil, err
		}
		b.runs = append(b.runs, run)
	}
	if b.long, err = t.run(ctx, b.experiment); err != nil {
		return nil, err
	}
	began := time.Now()
	if t.name == "mlflow" {
		err = t.seedBySQL(ctx, s, b)
	} else {
		err = t.seedByAPI(ctx, s, b)
	}
	progress("%s on %s: %d runs and a history of %d points made in %.0f s", t.name, t.engine, s.runs, s.points, time.Since(began).Seconds())
	return b, err
}

func (t *target) experiment(ctx context.Context, name string) (string, error) {
	var out struct {
		ID string `json:"experiment_id"`
	}
	return out.ID, t.post(ctx, "experiments/create", object{"name": name}, &out)
}

func (t *target) run(ctx context.Context, experiment string) (string, error) {
	var out struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	err := t.post(ctx, "runs/create", object{"experiment_id": experiment, "start_time": now()}, &out)
	return out.Run.Info.ID, err
}

// value is the metric k of the run i, the same on both servers: spread over 0 to 1.
func value(i, k int) float64 { return float64((i*7919+k*104729)%9973) / 9973 }

func (t *target) seedByAPI(ctx context.Context, s settings, b *bench) error {
	var all sync.WaitGroup
	failed := make([]error, s.clients)
	for c := range s.clients {
		all.Go(func() {
			for i := c; i < s.runs && failed[c] == nil; i += s.clients {
				failed[c] = t.seedRun(ctx, b.searched, i)
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	for at := 0; at < s.points; at += 1000 {
		points := make([]object, min(1000, s.points-at))
		for k := range points {
			points[k] = object{"key": "loss", "value": value(at+k, 0), "timestamp": at + k, "step": at + k}
		}
		if err := t.post(ctx, "runs/log-batch", object{"run_id": b.long, "metrics": points}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) seedRun(ctx context.Context, experiment string, i int) error {
	run, err := t.run(ctx, experiment)
	if err != nil {
		return err
	}
	metrics, params := make([]object, 20), make([]object, 20)
	for k := range metrics {
		metrics[k] = object{"key": fmt.Sprint("m", k), "value": value(i, k), "timestamp": 1, "step": 0}
		params[k] = object{"key": fmt.Sprint("p", k), "value": fmt.Sprint("v", (i+k)%10)}
	}
	return t.post(ctx, "runs/log-batch", object{"run_id": run, "metrics": metrics, "params": params}, nil)
}

func (t *target) seedBySQL(ctx context.Context, s settings, b *bench) error {
	database := filepath.Join(t.dir, "mlflow.db")
	if t.base != nil {
		database = t.base.dsn(t.name)
	}
	c := exec.CommandContext(ctx, t.python, "bench/tracking/seed.py", t.engine, database, b.searched, fmt.Sprint(s.runs), b.long, fmt.Sprint(s.points))
	c.Stderr = os.Stderr
	return c.Run()
}

// progress tells on standard error what is under way.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
