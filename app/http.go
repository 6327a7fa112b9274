// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"flyball/api"
	"flyball/api/attempt"
	"flyball/api/mlflow"
	"flyball/api/rest"
	"flyball/api/wire"
	"flyball/control"
	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
	"flyball/web"
)

// handler is all faces on one listener.
func (a *App) handler() http.Handler {
	routes := a.routes
	var advance func(context.Context, time.Time, bool) error
	if a.cfg.Manual {
		advance = a.Advance
	}
	style, err := web.Style()
	if err != nil {
		a.cfg.Logger.Error("documents have no style", "error", err)
	}
	auditor := &audit.Auditor{Store: a.store, Folder: a.log, Server: a.server, Now: a.clock.now}
	rest.New(routes, rest.Options{
		Control: a.control, Serving: a.serving, Store: a.store, Auditor: auditor, Anchor: a.anchor,
		Forgetter: &control.Forgetter{Log: a.log, Store: a.store, Now: a.clock.now}, Log: a.log, Blobs: a.blobs, Now: a.clock.now,
		Kept: a.store, Importer: &archive.Importer{Store: a.store, Now: a.clock.now},
		Collector: a.collector, Retention: a.retention(),
		Backup: func(ctx context.Context, w io.Writer) error {
			_, err := a.Backup(ctx, w, nil)
			return err
		},
		Compare: a.finder(), Commands: a.commands(), Door: a.door,
		Replicas: a.fleet,
		Alerts:   rest.Alerts{Router: a.router, Kept: a.store, Digest: a.digest},
		Advance:  advance, Version: a.cfg.Version, Style: style, Logger: a.cfg.Logger,
	})
	if err := web.New(routes, web.Options{
		Statuses: a.control.Statuses, LastEvents: a.store.LastEvents, Changed: a.store.Changed,
		Experiments: a.tracker, Names: a.store, Finder: a.finder(), Logger: a.cfg.Logger, Door: a.door, Company: a.company(),
		Models: a.store, Care: a.control, Predictions: a.log,
		Waiting: a.control, Alerts: inboxAlerts{a.router, a.store}, Proof: a.control, Data: a.control,
		Audit: a.store, Auditor: auditor, LastAnchor: func() (audit.Anchor, bool, error) { return audit.LastAnchor(a.anchors()) },
	}); err != nil {
		a.cfg.Logger.Error("there are no pages", "error", err)
	}
	attempt.New(routes, attempt.Options{Engines: a.attempts, Logger: a.cfg.Logger})
	a.tracking(routes)
	a.scoring(routes)
	a.oip.Mount(routes)
	a.ownRoutes(routes)
	return a.gate(a.sameSite(mlflow.Straight(a.observe(routes))))
}

// ownRoutes are those that no protocol has.
func (a *App) ownRoutes(routes *api.Routes) {
	own := routes.Face(func(w http.ResponseWriter, _ *http.Request, err error) {
		status := http.StatusUnauthorized
		switch fault.KindOf(err) {
		case fault.Denied:
			status = http.StatusForbidden
		case fault.Exhausted:
			status = http.StatusTooManyRequests
		}
		http.Error(w, err.Error(), status)
	}, nil)
	own.Handle(access.Read, "GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}).ServeHTTP)
	own.Handle(access.Open, "GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	own.Handle(access.Open, "GET /readyz", a.ready)
}

// company is the sign-in of a company; nil: none.
func (a *App) company() *web.Company {
	if a.cfg.OIDCIssuer == "" {
		return nil
	}
	return &web.Company{Issuer: a.cfg.OIDCIssuer, Client: a.cfg.OIDCClient, Secret: a.cfg.OIDCSecret, Server: a.external}
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

// sameSite refuses what a page of another site could send through a browser: a foreign
// Origin; and, while there are no users and whoever is let in may do everything, a
// foreign Host (DNS rebinding). Balancers and monitors may ask under any name whether
// the server lives.
func (a *App) sameSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		u, err := url.Parse(origin)
		switch {
		case mlflow.Exempt(r.URL.Path) || r.URL.Path == "/metrics" || strings.HasPrefix(r.URL.Path, "/v1/attempts/"): // a node shows its token
		case !a.door.Guarded() && !loopback(r.Host) && !slices.Contains(a.cfg.Hosts, hostname(r.Host)):
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
