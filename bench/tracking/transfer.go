// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// transfer is what moving one artifact cost: the best of three turns.
type transfer struct{ up, down, upCPU, downCPU time.Duration }

// transfers moves one artifact to and from MLflow, Flyball and a plain file server.
func transfers(ctx context.Context, out io.Writer, s settings) error {
	if s.bytes == 0 || s.only != "" {
		return nil
	}
	path := filepath.Join(s.dir, "artifact")
	want, err := random(path, s.bytes)
	if err != nil {
		return err
	}
	got := map[string]transfer{}
	memory := map[string]int64{}
	for _, who := range []string{"mlflow", "flyball", "files"} {
		t, at, err := startTransfer(ctx, s, who)
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		for range 3 {
			var m transfer
			if m, err = t.move(ctx, at, path, want); err != nil {
				break
			}
			if b, ok := got[who]; ok {
				m = transfer{min(m.up, b.up), min(m.down, b.down), min(m.upCPU, b.upCPU), min(m.downCPU, b.downCPU)}
			}
			got[who] = m
		}
		memory[who] = t.memory()
		t.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
	}
	transferTable(out, s, got, memory)
	return nil
}

// startTransfer starts a server and returns the path at which it takes the artifact.
func startTransfer(ctx context.Context, s settings, who string) (*target, string, error) {
	s.dir = filepath.Join(s.dir, "transfer")
	if who == "files" {
		port, err := freePort()
		if err != nil {
			return nil, "", err
		}
		self, err := os.Executable()
		if err != nil {
			return nil, "", err
		}
		address := fmt.Sprint("127.0.0.1:", port)
		t := &target{name: who, url: "http://" + address, http: &http.Client{}, dir: filepath.Join(s.dir, who)}
		if err := os.MkdirAll(t.dir, 0o700); err != nil {
			return nil, "", err
		}
		t.cmd = exec.Command(self, "files", address, t.dir)
		return t, "/large.bin", t.launch(ctx)
	}
	t, err := start(ctx, s, who, "sqlite", nil)
	if err != nil {
		return nil, "", err
	}
	experiment, err := t.experiment(ctx, "transfer")
	if err != nil {
		return t, "", err
	}
	run, err := t.run(ctx, experiment)
	return t, fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/%s/%s/artifacts/large.bin", experiment, run), err
}

// move sends the file and reads it back, and compares what came.
func (t *target) move(ctx context.Context, at, path, want string) (transfer, error) {
	var m transfer
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil {
		return m, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.url+at, f)
	if err != nil {
		return m, err
	}
	req.ContentLength = about.Size()
	before, began := t.processor(), time.Now()
	if err := t.do(req, nil); err != nil {
		return m, err
	}
	m.up, m.upCPU = time.Since(began), max(t.processor()-before, tick)

	req, err = http.NewRequestWithContext(ctx, http.MethodGet, t.url+at, nil)
	if err != nil {
		return m, err
	}
	before, began = t.processor(), time.Now()
	res, err := t.http.Do(req)
	if err != nil {
		return m, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return m, err
	}
	m.down, m.downCPU = time.Since(began), max(t.processor()-before, tick)
	if n != about.Size() {
		return m, fmt.Errorf("%d bytes came back of %d", n, about.Size())
	}
	return m, t.same(ctx, at, want)
}

// same reads the file once more, outside the measurement, for its digest.
func (t *target) same(ctx context.Context, at, want string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+at, nil)
	if err != nil {
		return err
	}
	res, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, res.Body); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return errors.New("other bytes came back than went")
	}
	return nil
}

// random writes a file that does not compress and returns its SHA-256.
func random(path string, size int64) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	r := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(io.MultiWriter(f, sum), r, size); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// files is a plain file server: net/http's for reading, a copy into a file for writing.
func files(address, dir string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("PUT /large.bin", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Create(filepath.Join(dir, "large.bin"))
		if err == nil {
			_, err = io.Copy(f, r.Body)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return http.ListenAndServe(address, mux)
}
