// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"flyball/fault"
)

// spans is a collector of traces.
type spans struct {
	mu    sync.Mutex
	names []string
	all   string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var in collector.ExportTraceServiceRequest
	if proto.Unmarshal(raw, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all += in.String()
	for _, of := range in.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				s.names = append(s.names, span.Name)
			}
		}
	}
}

func TestARequestIsTracedAndLoggedByItsRouteWithoutWhatItHolds(t *testing.T) {
	got := &spans{}
	sink := httptest.NewServer(got)
	defer sink.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	var log bytes.Buffer
	a, err := New(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Version: "v", AccessLog: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := a.handler()
	for _, path := range []string{"/v1/models/m/predictions?key=secret-key", "/nowhere/secret"} {
		r := httptest.NewRequest(http.MethodGet, path, strings.NewReader(`{"rows":[{"name":"secret"}]}`))
		r.Host = "localhost"
		r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GET /v1/models/{model}/predictions", "0af7651916cd43dd8448eb211c80319c", "status=200", "model=m"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the access log has no %q:\n%s", want, log.String())
		}
	}
	if !slices.Contains(got.names, "GET /v1/models/{model}/predictions") {
		t.Errorf("got the spans %v", got.names)
	}
	if strings.Contains(log.String()+got.all, "secret") {
		t.Errorf("what was asked is told:\n%s\n%s", log.String(), got.all)
	}
}

func TestACollectorThatDoesNotAnswerStopsNothing(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	a, err := New(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("a collector that does not answer stops the server: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnInterpreterThatIsNotThereIsSaidAtStart(t *testing.T) {
	for _, program := range []string{"/nowhere/python", "uv"} {
		t.Setenv("PATH", t.TempDir())
		_, err := New(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Python: program, Logger: slog.New(slog.DiscardHandler)})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v", program, err)
		}
	}
}
