// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"flyball/api/mlflow"
	"flyball/api/rest"
	"flyball/api/wire"
	"flyball/experiment/archive"
	"flyball/web"
)

// handler is all faces on one listener.
func (a *App) handler() http.Handler {
	mux := http.NewServeMux()
	var advance func(context.Context, time.Time, bool) error
	if a.cfg.Manual {
		advance = a.Advance
	}
	rest.New(mux, rest.Options{
		Control: a.control, Serving: a.serving, Store: a.store, Log: a.log, Blobs: a.blobs, Now: a.clock.now,
		Kept: a.store, Importer: &archive.Importer{Store: a.store, Now: a.clock.now},
		Collector: a.collector, Retention: a.retention(),
		Compare: a.finder(), Commands: a.commands(),
		Advance: advance, Version: a.cfg.Version, Logger: a.cfg.Logger,
	})
	if err := web.New(mux, web.Options{
		Statuses: a.control.Statuses, LastEvents: a.store.LastEvents, Changed: a.store.Changed,
		Experiments: a.tracker, Names: a.store, Finder: a.finder(), Logger: a.cfg.Logger,
	}); err != nil {
		a.cfg.Logger.Error("there are no pages", "error", err)
	}
	a.tracking(mux)
	a.scoring(mux)
	a.oip.Mount(mux)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", a.ready)
	return a.door(sameSite(mlflow.Straight(a.observe(mux)), a.cfg.Hosts))
}

// ready says that the server can answer, and what it is.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	err := a.whyNotReady(r.Context())
	out := wire.Health{Version: a.cfg.Version, Ready: err == nil}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(out) // the caller may have gone
}

// sameSite refuses what a page of another site could send through a browser of this
// machine: a foreign Host (DNS rebinding) or a foreign Origin. There are no users
// yet, and whoever is let in may do everything. hosts are other names of this server.
// Balancers and monitors may ask under any name whether it lives.
func sameSite(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		u, err := url.Parse(origin)
		switch {
		case mlflow.Exempt(r.URL.Path) || r.URL.Path == "/metrics":
		case !loopback(r.Host) && !slices.Contains(hosts, hostname(r.Host)):
			if mlflow.Serves(r.URL.Path) {
				mlflow.Forbid(w, "Invalid Host header - possible DNS rebinding attack detected. If this server has that name, start it with flyball serve --host and the name.")
				return
			}
			http.Error(w, "this server answers to its own machine only", http.StatusMisdirectedRequest)
			return
		case origin != "" && (err != nil || u.Host != r.Host):
			if mlflow.Serves(r.URL.Path) {
				mlflow.Forbid(w, "Cross-origin request blocked")
				return
			}
			http.Error(w, "a page of another site may not ask this", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

func loopback(hostport string) bool {
	host := hostname(hostport)
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
