// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
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
		h := a.door(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") }))
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
