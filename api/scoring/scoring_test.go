// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/api"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/formats"
	"flyball/model/mlmodel"
	"flyball/model/worker"
	"flyball/serving"
	"flyball/serving/prediction"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder is a model folder on the disk.
type folder string

func (f folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	r, err := os.Open(filepath.Join(string(f), filepath.FromSlash(name)))
	return r, fault.Wrap(err, fault.NotFound, "there is no %s", name)
}

func (f folder) Names(context.Context) ([]string, error) {
	var out []string
	err := filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, filepath.ToSlash(strings.TrimPrefix(path, string(f)+string(filepath.Separator))))
		}
		return err
	})
	return out, err
}

// library is a shelf's source: folders by the name of the model.
type library struct {
	folders  map[string]string
	decoders model.Decoders
}

func (l library) Find(_ context.Context, n ident.Name) (ident.Ref, error) {
	if l.folders[n.Model] == "" || n.Version > 1 || n.Alias != "" && n.Alias != "champion" {
		return ident.Ref{}, fault.New(fault.NotFound, "no model %q is served", n.Model)
	}
	return ident.Ref{Model: n.Model, Version: 1}, nil
}

func (l library) Weigh(context.Context, ident.Ref) int64 { return 1 }

func (l library) Open(ctx context.Context, ref ident.Ref) (*model.Bundle, error) {
	m, err := mlmodel.Read(ctx, folder(l.folders[ref.Model]), l.decoders, "")
	if err != nil {
		return nil, err
	}
	return m.Hold(ctx, l.decoders, ref.Model)
}

func (l library) Items(context.Context) ([]ident.Ref, error) { return nil, nil }

// noLog keeps nothing.
type noLog struct{ prediction.Log }

// interpreterOf is an interpreter with MLflow; the test is skipped where there is none.
func interpreterOf(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it waits for Python")
	}
	path, err := filepath.Abs("../../.cache/" + name + "/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Skip("no Python with MLflow: scripts/setup.sh makes .cache/" + name)
	}
	return path
}

// served is a server of models in folders; with an interpreter it has workers.
func served(t *testing.T, folders map[string]string, interpreter string) *httptest.Server {
	t.Helper()
	var host *worker.Host
	if interpreter != "" {
		host = worker.New(worker.Options{Dir: t.TempDir(), Python: interpreter})
	}
	shelf := serving.NewShelf(serving.ShelfOptions{Source: library{folders, formats.Decoders(host)}, Wait: 2 * time.Minute})
	s := serving.New(serving.Options{Log: noLog{}, Now: time.Now, Shelf: shelf})
	mux := api.NewRoutes(nil)
	New(mux, Options{Serving: s})
	out := httptest.NewServer(mux)
	var once sync.Once
	t.Cleanup(func() {
		once.Do(func() {
			out.Close()
			if err := shelf.Close(); err != nil {
				t.Error(err)
			}
			if host != nil {
				if err := host.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	})
	return out
}

// send posts a body and returns the status and what came back.
func send(t *testing.T, url, kind, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}
