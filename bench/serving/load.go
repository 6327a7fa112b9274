// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flyball/data/pipeline"
	"flyball/model/constant"
)

// rowsKept is how many different rows are asked for in turn.
const rowsKept = 1024

// load asks one server.
type load struct {
	settings
	url    string
	bodies [][]byte
	http   *http.Client
}

// result is what was measured.
type result struct {
	perSecond, perCore float64
	p50, p99           time.Duration
	failed             int64
}

func newLoad(url string, s settings, body func([]float64) []byte) *load {
	l := &load{settings: s, url: url, http: client(s.callers)}
	random := rand.New(rand.NewPCG(1, 2))
	if body == nil {
		body = asRows
	}
	for range rowsKept {
		row := make([]float64, features)
		for i := range row {
			row[i] = float64(int(1e6*random.NormFloat64())) / 1e6
		}
		l.bodies = append(l.bodies, body(row))
	}
	return l
}

// asRows is a row as our API and the servers written by hand take it.
func asRows(row []float64) []byte {
	one := map[string]float64{}
	for i, x := range row {
		one[fmt.Sprint("f", i)] = x
	}
	return encode(map[string]any{"rows": []any{one}})
}

// asSplit is a row as MLflow's scoring server takes it.
func asSplit(row []float64) []byte {
	names := make([]string, len(row))
	for i := range names {
		names[i] = fmt.Sprint("f", i)
	}
	return encode(map[string]any{"dataframe_split": map[string]any{"columns": names, "data": [][]float64{row}}})
}

// asTensor is a row as the Open Inference Protocol has it.
func asTensor(row []float64) []byte {
	return encode(map[string]any{"inputs": []any{map[string]any{"name": "x", "shape": []int{1, len(row)}, "datatype": "FP32", "data": row}}})
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is numbers and names
	}
	return raw
}

// ask asks once and reads the answer.
func (l *load) ask(ctx context.Context, n int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(l.bodies[n%len(l.bodies)]))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", res.Status, text)
	}
	return err
}

// ready asks until the server answers, for a minute at most.
func (l *load) ready(ctx context.Context) error {
	until := time.Now().Add(time.Minute)
	for {
		err := l.ask(ctx, 0)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(until) {
			return fmt.Errorf("it does not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// measure asks for a while, a tenth of it to warm up.
func (l *load) measure(ctx context.Context, pid int) (result, error) {
	if _, err := l.during(ctx, l.each/10); err != nil {
		return result{}, err
	}
	before, err := processor(pid)
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	r, err := l.during(ctx, l.each)
	if err != nil {
		return r, err
	}
	took := time.Since(began).Seconds()
	after, err := processor(pid)
	r.perSecond /= took
	r.perCore = r.perSecond * took / (after - before)
	return r, err
}

// during asks for so long; perSecond is the number of answers then. In an open loop a
// latency counts from when the request was due, whether or not a caller was free.
func (l *load) during(ctx context.Context, long time.Duration) (result, error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	var sent, failed atomic.Int64
	var first atomic.Pointer[error]
	began := time.Now()
	for range l.callers {
		all.Go(func() {
			var mine []time.Duration
			for ctx.Err() == nil {
				n := sent.Add(1)
				due := time.Now()
				if l.rate > 0 {
					due = began.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if time.Since(began) > long {
					break
				}
				if err := l.ask(ctx, int(n)); err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
					continue
				}
				mine = append(mine, time.Since(due))
			}
			mu.Lock()
			times = append(times, mine...)
			mu.Unlock()
		})
	}
	all.Wait()
	if len(times) == 0 {
		if err := first.Load(); err != nil {
			return result{}, *err
		}
		return result{}, errors.New("no answer")
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[int(q*float64(len(times)-1))] }
	return result{perSecond: float64(len(times)), p50: at(0.5), p99: at(0.99), failed: failed.Load()}, nil
}

// processor is the seconds of processor that a process and its children took.
func processor(pid int) (float64, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	type process struct{ parent, ticks int }
	seen := map[int]process{}
	for _, name := range all {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		text := string(raw)
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		id, _ := strconv.Atoi(strings.Split(name, "/")[2])
		parent, _ := strconv.Atoi(f[1])
		ticks := 0
		for _, s := range f[11:15] { // utime, stime and those of children that ended
			n, _ := strconv.Atoi(s)
			ticks += n
		}
		seen[id] = process{parent, ticks}
	}
	total := 0
	for id, p := range seen {
		for at := id; at > 1; at = seen[at].parent {
			if at == pid {
				total += p.ticks
				break
			}
		}
	}
	return float64(total) / 100, nil // USER_HZ is 100 on every Linux that matters
}

// writeConstant writes a model that answers the same whatever it is asked.
func writeConstant(name string) error {
	file, err := constant.Fit(pipeline.Matrix{Rows: 2, Cols: features, Data: make([]float32, 2*features)}, []float64{0, 1}, 0)
	if err != nil {
		return err
	}
	return os.WriteFile(name, file.Bytes, 0o600)
}
