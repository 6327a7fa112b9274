// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"flyball/fault"
)

// proxyDelay is how long a server goes on answering after it said that it is leaving,
// where a proxy stands before it that must notice first.
const proxyDelay = 5 * time.Second

// leaving is how far the server is on its way out.
type leaving struct {
	soon atomic.Bool // it says that it is not ready, and answers all the same
	now  atomic.Bool // what comes anew is turned away
}

// drainDelay is how long the server answers after it began to leave.
func (a *App) drainDelay() time.Duration {
	switch {
	case a.cfg.DrainDelay != nil:
		return *a.cfg.DrainDelay
	case len(a.cfg.Hosts) > 0:
		return proxyDelay
	}
	return 0
}

// drain begins when ctx is done: the server is no longer ready, and after the delay
// nothing new is answered. The context that it gives is done then.
func (a *App) drain(ctx context.Context) (context.Context, context.CancelFunc) {
	out, stop := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		a.leaving.soon.Store(true)
		delay := time.NewTimer(a.drainDelay())
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-out.Done():
		}
		a.leaving.now.Store(true)
		stop()
	})
	return out, stop
}

// whyNotReady is why the server is not ready to answer; nil: it is.
func (a *App) whyNotReady(ctx context.Context) error {
	if a.leaving.soon.Load() {
		return fault.New(fault.Unavailable, "the server is stopping")
	}
	return a.readiness(ctx)
}

// gate turns away what comes after the server has left, and gives a request the time
// that its caller says it has: X-Request-Timeout, in seconds or as 250ms.
func (a *App) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.leaving.now.Load() {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "1")
			turnAway(w, r, http.StatusServiceUnavailable, "this server has stopped")
			return
		}
		text := r.Header.Get("X-Request-Timeout")
		if text == "" {
			next.ServeHTTP(w, r)
			return
		}
		d, ok := timeoutOf(text)
		if !ok {
			turnAway(w, r, http.StatusBadRequest, "X-Request-Timeout is a time above 0: seconds, such as 0.5, or 250ms")
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), d, fault.New(fault.Unavailable, "the time that the request gave is over"))
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// turnAway says why a request goes no further, as the face that it was meant for says what
// is wrong: clients read that, and not text.
func turnAway(w http.ResponseWriter, r *http.Request, status int, why string) {
	under := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(r.URL.Path, p) })
	}
	var body map[string]string
	switch {
	case under("/v2"): // Open Inference Protocol
		body = map[string]string{"error": why}
	case under("/models/", "/api/", "/ajax-api/"): // MLflow
		code := "INVALID_PARAMETER_VALUE"
		if status == http.StatusServiceUnavailable {
			code = "TEMPORARILY_UNAVAILABLE"
		}
		body = map[string]string{"error_code": code, "message": why}
	case under("/v1/"): // our own
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": why}) // the caller may have gone
		return
	default:
		http.Error(w, why, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may have gone
}

// timeoutOf reads seconds, or a duration as Go writes it.
func timeoutOf(s string) (time.Duration, bool) {
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		ok := x > 0 && !math.IsNaN(x)
		return time.Duration(min(x, 86_400) * float64(time.Second)), ok
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}
