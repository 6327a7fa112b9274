// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flyball/bucket"
	"flyball/fault"
	"flyball/serving/shipping"
	"flyball/store"
)

const (
	// leadLease is how long the lead holds without being renewed: after that another
	// process takes it.
	leadLease = 6 * time.Second

	// leadEvery is how often it is renewed, and asked for by those who stand by.
	leadEvery = time.Second
)

// Control is a process that decides, one of several on one database and one bucket: it
// leads, or stands by and forwards all requests to the one that does. Run it once, then
// Close it.
type Control struct {
	cfg      Config
	db       *store.DB
	holder   string
	listener net.Listener
	front    front
}

// NewControl opens the database and the port, and starts nothing.
func NewControl(ctx context.Context, cfg Config) (_ *Control, err error) {
	if cfg.Database == "" || cfg.Bucket == "" {
		return nil, fault.New(fault.Invalid, "processes that decide together share a database and a bucket").
			Do("set FLYBALL_DATABASE to a PostgreSQL and FLYBALL_BUCKET to a bucket, or run one process with flyball serve")
	}
	if cfg.Manual {
		return nil, fault.New(fault.Invalid, "a clock that is moved by hand is one process's").Do("leave --role or --clock out")
	}
	c := &Control{cfg: cfg, holder: cfg.Name + "/" + strings.ToLower(rand.Text()[:8])}
	if c.listener, err = listen(ctx, cfg.Listen); err != nil {
		return nil, err
	}
	if c.cfg.Advertise == "" {
		c.cfg.Advertise = (&App{cfg: cfg, listener: c.listener}).URL()
	}
	if u, e := url.Parse(c.cfg.Advertise); e != nil || u.Host == "" {
		err = fault.New(fault.Invalid, "%q is no address", c.cfg.Advertise).Do("write --advertise http://host:port, as the other processes reach this one")
		return nil, errors.Join(err, c.listener.Close())
	}
	if c.db, err = awaitStore(ctx, cfg.Database, cfg.Logger); err != nil {
		return nil, errors.Join(err, c.listener.Close())
	}
	c.front.logger = cfg.Logger
	return c, nil
}

// awaitStore opens the database, and gives its server half a minute to be there.
func awaitStore(ctx context.Context, dsn string, logger *slog.Logger) (*store.DB, error) {
	return store.Await(ctx, dsn, 30*time.Second, func(err error) {
		logger.Warn("the database is waited for, half a minute", "error", err)
	})
}

// URL is where the process answers.
func (c *Control) URL() string { return c.cfg.Advertise }

// Close closes what NewControl opened.
func (c *Control) Close() error {
	err := c.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, c.db.Close())
}

// Run leads or stands by until ctx is done, and returns nil then.
func (c *Control) Run(ctx context.Context) error {
	certificate, err := certificates(c.cfg.Cert, c.cfg.Key)
	if err != nil {
		return err
	}
	requests, stopRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRequests()
	server := &http.Server{
		Handler: &c.front, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(c.cfg.Logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(secured(c.listener, certificate)) }()
	c.elect(ctx)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	time.AfterFunc(time.Second, stopRequests) // streams would never end by themselves
	err = server.Shutdown(grace)
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// elect leads when it can, until ctx is done.
func (c *Control) elect(ctx context.Context) {
	failing, rest := false, true // what is left from when it led, in this run or before
	for ctx.Err() == nil {
		pause := leadEvery
		l, until, ok, err := c.ask(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			c.cfg.Logger.Warn("the database does not say who leads", "error", err)
		}
		failing = err != nil
		switch {
		case ok:
			if err := c.lead(ctx, l.Fence, until); err != nil && ctx.Err() == nil {
				c.cfg.Logger.Error("this process leads no more", "error", err)
			}
			c.front.set(nil, "")
			pause, rest = 2*leadEvery, true // let another try
		case err == nil:
			c.front.set(nil, l.Address)
			if rest {
				err := c.shipRest(ctx)
				if rest = err != nil; rest && ctx.Err() == nil {
					c.cfg.Logger.Warn("what was answered here while this process led is not all handed on yet", "error", err)
				}
			}
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// shipRest hands on what the log here has from when this process led, so that it does not
// wait until it leads again.
func (c *Control) shipRest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*leadEvery)
	defer cancel()
	in, err := bucket.Open(ctx, c.cfg.Bucket, "predictions")
	if err != nil {
		return err
	}
	err = shipping.ShipRest(ctx, c.cfg.logDir(), in, c.cfg.Logger)
	return errors.Join(err, in.Close())
}

// ask asks for the lead, and until when it surely holds by this machine's clock.
func (c *Control) ask(ctx context.Context) (l store.Leader, until time.Time, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*leadEvery)
	defer cancel()
	asked := time.Now()
	l, ok, err = c.db.Lead(ctx, c.holder, c.cfg.Advertise, leadLease)
	return l, asked.Add(leadLease - leadLease/4), ok, err
}

// lead runs the server while the lead holds. It is renewed all the time; when it was not
// for too long the server stops as if it had crashed: whatever it had not committed is
// for whoever leads next.
func (c *Control) lead(ctx context.Context, fence int64, until time.Time) error {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	term := &term{}
	term.until.Store(&until)
	cfg := c.cfg
	cfg.fence, cfg.front, cfg.term = fence, &c.front, term
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		c.renew(ctx, term, lost)
	}()
	c.cfg.Logger.Info("this process leads", "fence", fence, "at", c.cfg.Advertise)
	err := c.serve(ctx, cfg)
	lost(nil)
	<-renewed
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause // another leads
	}
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return errors.Join(err, c.db.Resign(leave, c.holder))
}

// serve is all that a leader does, until ctx is done.
func (c *Control) serve(ctx context.Context, cfg Config) error {
	a, err := New(ctx, cfg)
	if err != nil {
		return err
	}
	err = a.Run(ctx)
	c.front.set(nil, "")
	return errors.Join(err, a.Close())
}

// renew keeps the lead until ctx is done, or the lead is lost.
func (c *Control) renew(ctx context.Context, t *term, lost context.CancelCauseFunc) {
	tick := time.NewTicker(leadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l, until, ok, err := c.ask(ctx)
		switch {
		case ok && err == nil:
			t.until.Store(&until)
		case err == nil:
			lost(fault.New(fault.Unavailable, "%s leads by now", l.Holder))
			return
		case t.over():
			lost(fault.Wrap(err, fault.Unavailable, "the lead could not be renewed in time"))
			return
		}
	}
}

// term is the time for which a process surely leads.
type term struct{ until atomic.Pointer[time.Time] }

// over reports whether another process may lead by now. A stretch in which this one was
// stopped counts.
func (t *term) over() bool { return time.Now().After(*t.until.Load()) }

// front is what a control process answers by: its own handler while it leads, else the
// one who does.
type front struct {
	logger *slog.Logger
	now    atomic.Pointer[behind]
}

// behind is where requests go.
type behind struct {
	own     http.Handler // nil: it does not lead
	address string       // of who leads; empty: not known
	forward http.Handler
}

// set has requests answered by own, or forwarded to an address.
func (f *front) set(own http.Handler, address string) {
	if b := f.now.Load(); own == nil && b != nil && b.own == nil && b.address == address {
		return
	}
	b := &behind{own: own, address: address}
	if u, err := url.Parse(address); err == nil && own == nil && address != "" {
		b.forward = forwarded(f.logger, u)
	}
	f.now.Store(b)
}

// lend has requests answered by h until leave is called, which waits for those under way
// for a time. Their contexts end with ctx.
func (f *front) lend(ctx context.Context, h http.Handler) (leave func(time.Duration)) {
	under := &sync.RWMutex{} // read-locked by each request
	f.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !under.TryRLock() {
			w.Header().Set("Retry-After", "2")
			turnAway(w, r, http.StatusServiceUnavailable, "this process leads no more")
			return
		}
		defer under.RUnlock()
		one, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		h.ServeHTTP(w, r.WithContext(one))
	}), "")
	return func(most time.Duration) {
		f.set(nil, "")
		done := make(chan struct{})
		go func() {
			under.Lock()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(most):
		}
	}
}

// forwards is the header of a request that came from a process that stands by: two of
// them that take each other for the leader must not send it to and fro.
const forwards = "Flyball-Forwarded"

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := f.now.Load()
	switch {
	case b != nil && b.own != nil:
		b.own.ServeHTTP(w, r)
	case r.URL.Path == "/healthz":
		w.WriteHeader(http.StatusNoContent)
	case b == nil || b.forward == nil || r.Header.Get(forwards) != "":
		w.Header().Set("Retry-After", "2")
		turnAway(w, r, http.StatusServiceUnavailable, "no process leads right now, or it cannot be reached; one will within seconds")
	default:
		b.forward.ServeHTTP(w, r)
	}
}

// quick is a dialer that finds out soon that a process is not there.
func quick() *net.Dialer {
	return &net.Dialer{Timeout: 2 * time.Second, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}}
}

// forwarded sends requests on, as they came, to the first of the addresses that can be
// reached.
func forwarded(logger *slog.Logger, to ...*url.URL) http.Handler {
	transport := &http.Transport{DialContext: quick().DialContext, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true}
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to[0])
			p.SetXForwarded()
			p.Out.Host = p.In.Host
			p.Out.Header.Set(forwards, "1")
		},
		Transport: &firstOf{to: to, transport: transport}, FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				logger.Debug("a request could not be forwarded", "error", err)
			}
			w.Header().Set("Retry-After", "2")
			turnAway(w, r, http.StatusServiceUnavailable, "the process that leads cannot be reached; another will lead within seconds")
		},
	}
}

// firstOf sends a request to the first address that can be reached, and to that one first
// the next time. What was sent is not sent again.
type firstOf struct {
	to        []*url.URL
	good      atomic.Int64
	transport http.RoundTripper
}

// RoundTrip sends the request.
func (f *firstOf) RoundTrip(r *http.Request) (*http.Response, error) {
	first := f.good.Load()
	for i := range f.to {
		at := (int(first) + i) % len(f.to)
		one := r.Clone(r.Context())
		one.URL.Scheme, one.URL.Host = f.to[at].Scheme, f.to[at].Host
		if r.Body != nil {
			one.Body = io.NopCloser(r.Body) // a failed dial would close it for the next
		}
		res, err := f.transport.RoundTrip(one)
		dialed, refused := errors.AsType[*net.OpError](err)
		if refused && dialed.Op == "dial" && i+1 < len(f.to) {
			continue
		}
		if err == nil {
			f.good.Store(int64(at))
		}
		return res, err
	}
	return nil, fault.New(fault.Invalid, "there is nobody to forward to")
}
