// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	gocloud "gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"flyball/api"
	"flyball/api/mlflow"
	"flyball/api/rest"
	"flyball/blob"
	"flyball/bucket"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/model"
	"flyball/model/formats"
	"flyball/serving"
	"flyball/serving/predictionlog"
	"flyball/serving/replica"
	"flyball/serving/shipping"
)

// Replica is a process that answers predictions as those that decide tell it, and forwards
// all else to them. It needs no database, and goes on when nobody tells it any more. Run
// it once, then Close it.
type Replica struct {
	*App
	told    access.Told
	agent   *replica.Agent
	far     *gocloud.Bucket // with the blobs; a.blobs has those that were read
	forward http.Handler
}

// NewReplica opens the data folder, the bucket and the port, and starts nothing.
func NewReplica(ctx context.Context, cfg Config) (_ *Replica, err error) {
	if cfg.Bucket == "" || len(cfg.Control) == 0 {
		return nil, fault.New(fault.Invalid, "a process that only serves reads models from a bucket, and is told which by those that decide").
			Do("set FLYBALL_BUCKET and FLYBALL_CONTROL, or run all in one process with flyball serve")
	}
	process := cfg.Name + "/" + strings.ToLower(rand.Text()[:8])
	a := &App{cfg: cfg, clock: &clock{skew: cfg.Skew}, process: process, metrics: prometheus.NewRegistry()}
	r := &Replica{App: a}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := a.openAround(ctx); err != nil {
		return nil, err
	}
	if a.log, err = predictionlog.Open(filepath.Join(cfg.Data, "predictions"), predictionlog.Options{
		Logger: cfg.Logger, Metrics: a.metrics, Now: a.clock.now, Shipping: predictionlog.Move,
	}); err != nil {
		return nil, err
	}
	if r.far, err = bucket.Open(ctx, cfg.Bucket, "blobs"); err != nil {
		return nil, err
	}
	if a.predictions, err = bucket.Open(ctx, cfg.Bucket, "predictions"); err != nil {
		return nil, err
	}
	if a.blobs, err = blob.OpenDir(filepath.Join(cfg.Data, "blobs")); err != nil {
		return nil, err
	}
	if a.door, err = access.NewDirectory(ctx, access.Options{Store: &r.told, Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	r.shipper = shipping.NewShipper(shipping.ShipperOptions{Log: a.log, Bucket: a.predictions, Logger: cfg.Logger})
	return r, r.build()
}

// build puts the parts together.
func (r *Replica) build() error {
	a := r.App
	told, err := toldBy(a.cfg)
	if err != nil {
		return err
	}
	a.workers = a.newWorkers()
	a.reasons = serving.NewReasoner(serving.ReasonerOptions{Log: a.log, Logger: a.cfg.Logger, Metrics: a.metrics})
	a.serving = serving.New(serving.Options{
		Reasons: a.reasons, Log: a.log, Now: a.clock.now, Metrics: a.metrics, Alone: func() bool { return r.agent.Alone() },
	})
	decoders := formats.Decoders(a.workers)
	near := blob.Near{Store: blob.In(r.far), Folder: a.blobs}
	r.agent = replica.NewAgent(replica.Options{
		Control: told, Keeper: &replica.Keeper{Serving: a.serving, Open: func(ctx context.Context, d blob.Digest) (*model.Bundle, error) {
			return model.Ready(ctx, near, decoders, d)
		}},
		Dir: a.cfg.Data, Name: a.cfg.Name, Process: a.process, Address: a.URL(), Build: a.cfg.Version, Logger: a.cfg.Logger,
		Counts: a.serving.Hours, Forget: a.serving.ForgetHours, Shipped: r.shipped, Told: r.tell, Now: a.clock.machine,
	})
	a.clock.apart = r.agent.Apart
	a.readiness = func(context.Context) error { return r.agent.Ready() }
	r.forward = forwarded(a.cfg.Logger, told.urls...)
	a.routes = api.NewRoutes(a.door)
	a.oip = a.newOIP()
	return nil
}

// tell refuses to be open to everybody.
func (r *Replica) tell(d replica.Desired) error {
	if len(d.Users) == 0 && !loopback(r.cfg.Listen) {
		return fault.New(fault.Invalid, "%s can be reached from other machines, and there are no users: whoever reaches it could ask", r.cfg.Listen).
			Do("make the first user with flyball users add NAME --role admin where the database is")
	}
	r.told.Tell(d.Users, d.Known())
	return r.door.Refresh(context.Background())
}

// shipped is how far the log was handed on.
func (r *Replica) shipped() replica.Shipped {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	m, err := r.log.Shipped(ctx)
	if err != nil {
		r.cfg.Logger.Warn("how far predictions were handed on cannot be read", "error", err)
		return replica.Shipped{}
	}
	return replica.Shipped{Origin: m.Origin, Seq: m.Seq, UpTo: m.UpTo}
}

// handler is the faces that a replica has by itself, before those of who decides.
func (r *Replica) handler() http.Handler {
	a := r.App
	rest.NewServing(a.routes, rest.ServeOptions{
		Options: rest.Options{Serving: a.serving, Log: a.log, Now: a.clock.now, Version: a.cfg.Version, Logger: a.cfg.Logger},
		Knows: func(_ context.Context, model string) error {
			if _, ok := a.serving.Entry(model); !ok {
				return fault.New(fault.NotFound, "no model %q is served here", model).Do("see flyball status")
			}
			return nil
		},
	})
	a.scoring(a.routes)
	a.oip.Mount(a.routes)
	a.ownRoutes(a.routes)
	a.routes.Face(nil, nil).Pass("/", r.forward.ServeHTTP)
	return a.gate(a.sameSite(r.begun(mlflow.Straight(a.observe(a.routes)))))
}

// begun lets nobody in before it is known who may come in.
func (r *Replica) begun(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if p := req.URL.Path; !r.agent.Knows() && p != "/healthz" && p != "/readyz" {
			w.Header().Set("Retry-After", "2")
			turnAway(w, req, http.StatusServiceUnavailable, "this process was not told yet what to serve, and whom")
			return
		}
		next.ServeHTTP(w, req)
	})
}

// Run serves until ctx is done, and then stops: it says that it is not ready, finishes
// what it has, and ships what it logged, as far as that takes no more than ten seconds.
func (r *Replica) Run(ctx context.Context) error {
	err := r.logging(ctx, r.work)
	r.shipLast(ctx)
	return err
}

func (r *Replica) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	faces, left := r.drain(ctx)
	defer left()
	requests, stopRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRequests()
	r.serveHTTP(ctx, faces, requests, stopRequests, g, r.handler())
	r.serveGRPC(faces, g, 10*time.Second)
	g.Go(func() error { return r.agent.Run(ctx) })
	g.Go(func() error { return r.shipper.Run(ctx) })
	return g.Wait()
}

// Close closes what NewReplica opened. Closing twice is closing once.
func (r *Replica) Close() error {
	var err error
	if r.far != nil {
		err = r.far.Close()
		r.far = nil
	}
	return errors.Join(err, r.App.Close())
}

// controls are the processes that decide, as a replica asks them: one after another, until
// one answers; that one first the next time.
type controls struct {
	urls    []*url.URL
	clients []*client.Client
	good    atomic.Int64
}

func toldBy(cfg Config) (*controls, error) {
	out := &controls{}
	transport := &http.Transport{DialContext: quick().DialContext, IdleConnTimeout: 30 * time.Second}
	for _, text := range cfg.Control {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fault.New(fault.Invalid, "%q is no address of a process that decides", text).Do("write --control http://host:7180")
		}
		out.urls = append(out.urls, u)
		out.clients = append(out.clients, client.New(text, cfg.Token, &http.Client{Transport: transport}))
	}
	return out, nil
}

// each asks one after another, each for a share of the time.
func (c *controls) each(ctx context.Context, most time.Duration, ask func(ctx context.Context, to *client.Client) error) error {
	var errs []error
	first := c.good.Load()
	for i := range c.clients {
		at := (int(first) + i) % len(c.clients)
		one, cancel := context.WithTimeout(ctx, most)
		err := ask(one, c.clients[at])
		cancel()
		if err == nil {
			c.good.Store(int64(at))
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Desired asks what is to be served.
func (c *controls) Desired(ctx context.Context, have int64) (out replica.Desired, err error) {
	err = c.each(ctx, pollWait+3*time.Second, func(ctx context.Context, to *client.Client) error {
		out, err = to.Desired(ctx, have)
		return err
	})
	return out, err
}

// Report reports.
func (c *controls) Report(ctx context.Context, r replica.Report) (out replica.Grant, err error) {
	err = c.each(ctx, 2*time.Second, func(ctx context.Context, to *client.Client) error {
		out, err = to.Report(ctx, r)
		return err
	})
	return out, err
}

// Leave gives the lease back.
func (c *controls) Leave(ctx context.Context, name, process string) error {
	return c.each(ctx, time.Second, func(ctx context.Context, to *client.Client) error { return to.Leave(ctx, name, process) })
}

// hostName is the name of this machine; what it is called where it has none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "flyball-" + string(ident.NewRunID())[:8]
	}
	return name
}
