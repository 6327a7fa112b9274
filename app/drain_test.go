// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAServerThatStopsSaysSoBeforeItTurnsAnybodyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{cfg: Config{Hosts: []string{"models.example.org"}}}
		ctx, stop := context.WithCancel(t.Context())
		faces, left := a.drain(ctx)
		defer left()
		h := a.gate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") }))
		ask := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			return w
		}
		stop()
		time.Sleep(4 * time.Second)
		if err := a.whyNotReady(t.Context()); err == nil {
			t.Error("it is ready while it stops")
		}
		if w := ask(); w.Code != http.StatusOK || faces.Err() != nil {
			t.Errorf("meanwhile: %d", w.Code)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if w := ask(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Connection") != "close" || faces.Err() == nil {
			t.Errorf("after the delay: %d %v", w.Code, w.Header())
		}
	})
}

func TestHowLongACallerWaits(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1": time.Second, "0.25": 250 * time.Millisecond, "250ms": 250 * time.Millisecond, "1e9": 24 * time.Hour,
		"0": 0, "-1": 0, "NaN": 0, "soon": 0, "-1s": 0,
	} {
		if got, ok := timeoutOf(text); ok != (want > 0) || ok && got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, ok, want)
		}
	}
}

func TestWhoIsTurnedAwayIsToldInTheWordsOfItsProtocol(t *testing.T) {
	a := &App{}
	h := a.gate(http.NotFoundHandler())
	for path, want := range map[string][2]string{
		"/v2/models/m/infer":               {`{"error":"this server has stopped"}`, `{"error":"X-Request-Timeout is `},
		"/models/m/invocations":            {`{"error_code":"TEMPORARILY_UNAVAILABLE","message":"this server has stopped"}`, `{"error_code":"INVALID_PARAMETER_VALUE","message":"X-`},
		"/api/2.0/mlflow/runs/create":      {`{"error_code":"TEMPORARILY_UNAVAILABLE","message":"this server has stopped"}`, `{"error_code":"INVALID_PARAMETER_VALUE","message":"X-`},
		"/ajax-api/2.0/mlflow/runs/search": {`{"error_code":"TEMPORARILY_UNAVAILABLE",`, `{"error_code":`},
		"/v1/models":                       {`{"detail":"this server has stopped","status":503,"title":"Service Unavailable"}`, `{"detail":"X-`},
		"/runs":                            {"this server has stopped", "X-Request-Timeout is "},
	} {
		for i, stopped := range []bool{true, false} {
			a.leaving.now.Store(stopped)
			w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody)
			r.Header.Set("X-Request-Timeout", "soon")
			h.ServeHTTP(w, r)
			if status := []int{http.StatusServiceUnavailable, http.StatusBadRequest}[i]; w.Code != status || !strings.HasPrefix(w.Body.String(), want[i]) {
				t.Errorf("%s: got %d %s", path, w.Code, w.Body)
			}
		}
	}
}
