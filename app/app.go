// SPDX-License-Identifier: Apache-2.0

// Package app builds a Flyball server, runs it and stops it. It is the only package
// that knows all the others, and it holds no rule of its own.
package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	gocloud "gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"flyball/api"
	"flyball/api/attempt"
	"flyball/api/oip"
	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/control"
	"flyball/data/source/remote"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/alert"
	"flyball/governance/approval"
	"flyball/governance/retention"
	"flyball/ident"
	"flyball/job"
	"flyball/loop"
	"flyball/model/formats"
	"flyball/model/worker"
	"flyball/notify"
	"flyball/serving"
	"flyball/serving/predictionlog"
	"flyball/serving/release"
	"flyball/serving/shipping"
	"flyball/store"
	"flyball/training"
	"flyball/training/environment"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
)

// Config is what a server is built from.
type Config struct {
	Data     string // the folder of everything that is kept
	Database string // a DSN of PostgreSQL; empty: flyball.db in Data
	Listen   string // host:port; only of this machine while there are no users
	Cert     string // a file with the certificate and its chain, in PEM; with Key, HTTP and gRPC go over TLS
	Key      string // the file with its key

	// The company's login by OpenID Connect: the provider's address, and the client's id
	// and secret there. Empty: none.
	OIDCIssuer, OIDCClient, OIDCSecret string

	Changes int // that one caller may make in a minute; 0: no bound

	// Role is control: decide, one of several processes on Database and Bucket (NewControl);
	// serve: only answer predictions (NewReplica); empty or all: both in one process (New).
	Role      string
	Bucket    string        // s3://bucket/prefix and its like: blobs, predictions and the files of jobs lie there; empty: in Data
	Name      string        // of this process among all
	Advertise string        // http://host:port, where other processes reach it; empty: as it listens
	Control   []string      // of a replica: where the processes that decide answer
	Token     string        // of a replica: what it shows them
	Skew      time.Duration // that the machine's time is made wrong by, for tests
	fence     int64         // of the lead; 0: it needs none
	front     *front        // has the listener; nil: this does
	term      *term         // for which it leads; nil: for ever

	GRPC    string        // the same for gRPC; empty: none. GRPCAddress is the usual one
	Every   time.Duration // between two turns of the loop; 0: 1 s
	Version string
	Hosts   []string // names besides localhost under which the server is asked, as by a proxy

	// Locations are where artifacts of experiments may lie besides on this server, as
	// prefixes of URIs: clients write there by themselves, with their own keys.
	Locations []string

	Quota int64         // bytes of files of one run or logged model; 0: no bound
	Keep  time.Duration // deleted runs are removed for good after this; 0: only when somebody asks for it

	PredictionsFor   time.Duration // predictions of days that ended longer ago are removed; 0: none
	AuditFor         time.Duration // groups that came beside predictions of such days are removed; 0: with them
	PredictionsBytes int64         // the oldest days of predictions are removed while they take more; 0: no bound

	// DrainDelay is how long the server goes on answering after it was told to stop and
	// says that it is not ready, so that a proxy notices; nil: 5 s where it has other
	// names (Hosts), for then a proxy stands before it, else 0.
	DrainDelay *time.Duration

	ModelMemory int64 // bytes of memory of the models that are scored beside the routes; 0: a quarter of what there is

	// Python runs the models that only Python can score: an interpreter that has what
	// they need, or "uv", which makes an environment for each. Empty: they are refused.
	Python        string
	PythonMemory  int64 // bytes of address space of one process; 0: half of the machine's memory
	PythonWorkers int   // processes of one model; 0: 1

	// Sources are places that model files may name as their data: s3://bucket/prefix,
	// postgres://host/database. Keys and passwords come from the environment.
	Sources []string

	// Executors are where model files may have programs run: local, slurm. ExecutorsFile
	// is a YAML file that says how engines of clusters are reached (type Executors); those
	// that it has a section for are among them. Neither: programs are refused.
	Executors     []string
	ExecutorsFile string

	// Manual has the clock move only by request (POST /v1/clock), and the loop and its
	// jobs with it: for replays of history. Start is where it begins when the data
	// folder tells nothing later.
	Manual bool
	Start  time.Time

	External string        // the server's address as people reach it, such as https://flyball.example.org; empty: messages have no links
	Alerts   notify.Config // where alerts are sent; the zero value: nowhere
	Quiet    string        // hours in which nobody is told what can wait, such as 22:00-07:00; empty: none

	Logger    *slog.Logger
	AccessLog bool // a line for each request
}

// App is a server. Run it once, then Close it.
type App struct {
	cfg         Config
	clock       *clock
	store       *store.DB
	blobs       *blob.Bucket
	predictions *gocloud.Bucket   // where they are shared; nil: only here
	shipper     *shipping.Shipper // into predictions
	artifacts   *artifact.Tree
	collector   *retention.Collector
	tracker     *experiment.Tracker
	find        *compare.Finder // made by finder
	findOnce    sync.Once
	log         *predictionlog.Log
	serving     *serving.Server
	reasons     *serving.Reasoner
	loop        *loop.Loop
	control     *control.Service
	worker      *job.Worker
	again       *job.Worker                 // makes versions again: no training waits for that
	workers     *worker.Host                // of models that need Python; nil: none
	executor    executor.Executor           // of trainings; nil: none
	attempts    map[string]attempt.Attempts // by engine, for programs on nodes
	clusters    []*cluster.Executor         // the same
	jobs        *gocloud.Bucket             // what is kept of attempts; nil: there are no engines
	sources     *remote.Sources
	leaving     leaving
	fleet       *fleet                          // those who only serve
	readiness   func(ctx context.Context) error // why it is not ready, apart from leaving
	metrics     *prometheus.Registry
	router      *alert.Router  // brings alerts to people
	sender      *notify.Sender // sends them
	process     string         // names this run of the server among those that counted requests
	telling     sync.Mutex
	hours       map[release.Hour]release.Hour // counts as they were kept last, by the hour alone
	digested    time.Time                     // the Monday whose digest this process put into the outbox
	door        *access.Directory
	server      string       // its name, where several share a database; empty: it is the only one
	links       approval.Key // of those that answer requests for leave
	external    string       // the server's address as people reach it; empty: not known
	routes      *api.Routes
	tls         *tls.Config // nil: in the clear
	listener    net.Listener
	oip         *oip.Face
	grpc        net.Listener // nil: none
	advance     sync.Mutex   // held while a manual clock moves
	traces      trace.TracerProvider
	endTraces   func(context.Context) error // sends what waits
}

// New opens the data folder and the port, and starts nothing. What cannot be opened
// is a fault of one sentence, and everything opened so far is closed again.
func New(ctx context.Context, cfg Config) (_ *App, err error) {
	a := &App{cfg: cfg, clock: &clock{manual: cfg.Manual, at: cfg.Start, skew: cfg.Skew}, process: string(ident.NewRunID()), metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err := a.openAround(ctx); err != nil {
		return nil, err
	}
	if a.sources, err = remote.New(cfg.Sources...); err != nil {
		return nil, err
	}
	if err := a.nameServer(); err != nil {
		return nil, err
	}
	if cfg.Bucket == "" { // first of all: it locks the folder
		if err := a.openLog(); err != nil {
			return nil, err
		}
	}
	dsn := cfg.Database
	if dsn == "" {
		dsn = filepath.Join(cfg.Data, "flyball.db")
	}
	if a.store, err = awaitStore(ctx, dsn, cfg.Logger); err != nil {
		return nil, err
	}
	a.store.Behind(cfg.fence)
	a.store.KeepTime(a.clock.now)
	if err := a.openBucket(ctx); err != nil {
		return nil, err
	}
	if a.door, err = access.NewDirectory(ctx, access.Options{Store: a.store, Logger: cfg.Logger, Changes: cfg.Changes, Broken: func(name string) []string { return a.control.Broken(name) }}); err != nil {
		return nil, err
	}
	if err := a.ofHere(cfg.Listen, cfg.GRPC); err != nil {
		return nil, err
	}
	if a.tls == nil && !loopback(cfg.Listen) {
		cfg.Logger.Warn("passwords and tokens go over the network as they are: give the server a certificate (--tls-cert), or put a proxy with TLS before it")
	}
	if _, _, err := a.blobs.Sweep(ctx, time.Now()); err != nil { // what a killed server was writing
		return nil, err
	}
	if cfg.Database == "" || cfg.Manual || cfg.fence > 0 { // the folder is locked, the clock is this one's, or nobody else leads: whoever had jobs of this database is dead
		if _, err := a.store.EndLeases(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.resumeClock(ctx); err != nil {
		return nil, err
	}
	if err := a.openExecutors(ctx); err != nil {
		return nil, err
	}
	if err := a.openLinks(ctx); err != nil {
		return nil, err
	}
	if err := a.openAlerts(); err != nil {
		return nil, err
	}
	a.readiness = func(ctx context.Context) error {
		_, err := a.store.LastEvents(ctx, "", 1)
		return err
	}
	a.build()
	return a, nil
}

// openAround opens what every process has: its data folder, its ports, and what it is
// watched by.
func (a *App) openAround(ctx context.Context) (err error) {
	cfg := &a.cfg
	if cfg.Name == "" {
		cfg.Name = hostName()
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if a.traces, a.endTraces, err = tracing(ctx, cfg.Version); err != nil {
		return err
	}
	if err := python(cfg.Python); err != nil {
		return err
	}
	if a.tls, err = certificates(cfg.Cert, cfg.Key); err != nil {
		return err
	}
	for _, address := range []string{cfg.Listen, cfg.GRPC} {
		if _, _, err := net.SplitHostPort(address); address != "" && err != nil {
			return fault.Wrap(err, fault.Invalid, "%q is not an address to listen on", address)
		}
	}
	if cfg.front == nil {
		if a.listener, err = listen(ctx, cfg.Listen); err != nil {
			return err
		}
	}
	if a.grpc, err = listenGRPC(ctx, cfg.GRPC); err != nil {
		return err
	}
	return fault.Wrap(os.MkdirAll(cfg.Data, 0o700), fault.Unavailable, "the data folder %s cannot be made", cfg.Data)
}

// build puts the parts together.
func (a *App) build() {
	a.workers = a.newWorkers()
	decoders := formats.Decoders(a.workers)
	a.artifacts = artifact.New(artifact.Options{Blobs: a.blobs, Store: a.store, Quota: a.cfg.Quota, Now: a.clock.now})
	a.collector = retention.New(retention.Options{Store: a.store, Blobs: a.blobs, Now: a.clock.now})
	a.serving = a.newServing(decoders)
	a.routes = api.NewRoutes(a.door)
	a.routes.Moments(a.clock.now, a.store.FirstKept)
	a.oip = a.newOIP()
	a.tracker = experiment.NewTracker(experiment.TrackerOptions{
		Experiments: a.store, Runs: a.store, LoggedModels: a.store, Now: a.clock.now, Locations: a.cfg.Locations,
	})
	trainer := &training.Trainer{
		Blobs: a.blobs, Log: a.log, Decoders: decoders, Logger: a.cfg.Logger, Tracker: trials{tracker: a.tracker, artifacts: a.artifacts}, Keeper: a.store,
		Sources: a.sources,
	}
	if a.executor != nil {
		trainer.Executor, trainer.Tracking = a.executor, "{server}"
		trainer.Credential = func(ctx context.Context, about string) (string, error) { return a.door.Lend(ctx, about, week) }
	}
	if a.here() {
		trainer.Environment = (&environment.Maker{Dir: filepath.Join(a.cfg.Data, "environments"), Logger: a.cfg.Logger}).Make
	}
	judge := &training.Judge{Trainer: trainer, Folder: a.folder}
	if a.workers != nil {
		judge.Convert = a.workers.Convert
	}
	a.worker = job.New(job.Options{
		Store: a.store, Now: a.clock.now, Logger: a.cfg.Logger,
		Handlers: map[string]job.Handler{training.JobKind: trainer.Handler(a.store), training.JudgeKind: judge.Handler(a.store)},
	})
	models := func(ctx context.Context) ([]loop.Model, error) { return a.control.Models(ctx) }
	a.again = job.New(job.Options{
		Store: a.store, Now: a.clock.now, Logger: a.cfg.Logger,
		Handlers: map[string]job.Handler{control.ReproduceKind: func(ctx context.Context, j job.Job, progress func(string)) (json.RawMessage, error) {
			return a.control.MakeAgain(ctx, j, progress)
		}},
	})
	a.loop = loop.New(loop.Options{
		Store: a.store, Blobs: a.blobs, Decoders: decoders, Log: a.log, Serving: a.serving, Models: models,
		Now: a.clock.now, Poke: a.worker.Poke, Every: a.cfg.Every, Logger: a.cfg.Logger, Replay: a.cfg.Manual,
		Approvals: a.store, Replicas: a.store.Replicas, Settled: func(ctx context.Context, now time.Time) (time.Time, error) { return a.fleet.settled(ctx, now) },
	})
	a.fleet = newFleet(a.store, a.log, a.loop, a.cfg.Logger)
	options := control.Options{
		Store: a.store, Blobs: a.blobs, Log: a.log, Serving: a.serving, Loop: a.loop, Decoders: decoders, Now: a.clock.now,
		Ways: a.ways,
		Poke: func() { a.worker.Poke(); a.again.Poke() }, Logger: a.cfg.Logger, Sources: a.sources, People: a.people, Links: a.links,
	}
	if a.executor != nil {
		options.Executor, options.Environment = a.executor, trainer.Environment
	}
	a.control = control.New(options)
}

// week is how long a training may log: its own limit ends it sooner.
const week = 7 * 24 * time.Hour

// URL is where the server answers, as this machine asks it.
func (a *App) URL() string {
	if a.listener == nil {
		return a.cfg.Advertise
	}
	at := a.listener.Addr().String()
	if tcp, ok := a.listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		at = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	if a.tls != nil {
		return "https://" + at
	}
	return "http://" + at
}

// Run serves until ctx is done, and then stops: first it says that it is not ready and
// goes on answering for the drain delay, then it takes nothing new and finishes what it
// has; then the models, then the log, which is shipped where it is shared. It returns nil
// when it was stopped.
func (a *App) Run(ctx context.Context) error {
	err := a.logging(ctx, func(ctx context.Context) error {
		err := a.work(ctx)
		a.flushHours(context.WithoutCancel(ctx))
		return err
	})
	a.shipLast(ctx)
	a.writeAnchor(context.WithoutCancel(ctx)) // of all that happened
	return err
}

// logging does what needs the log, and then has the models and the log end.
func (a *App) logging(ctx context.Context, do func(ctx context.Context) error) error {
	logging, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()
	logged := make(chan error, 1)
	go func() { logged <- a.log.Run(logging) }()
	select {
	case <-a.log.Ready():
	case err := <-logged:
		return err
	}
	reasoning, stopReasons := context.WithCancel(logging)
	defer stopReasons()
	reasoned := make(chan error, 1)
	go func() { reasoned <- a.reasons.Run(reasoning) }()
	err := do(ctx)
	stopReasons()
	err = errors.Join(err, <-reasoned, a.serving.Close())
	stopLog()
	return errors.Join(err, <-logged)
}

// work runs everything that needs the log.
func (a *App) work(ctx context.Context) error {
	if err := a.loop.Turn(ctx, a.clock.now()); err != nil {
		a.cfg.Logger.Error("the first turn of the loop failed", "error", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	faces, left := a.drain(ctx)
	defer left()
	requests, stopRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRequests()
	a.serveHTTP(ctx, faces, requests, stopRequests, g, a.handler())
	a.serveGRPC(faces, g, 10*time.Second)
	g.Go(func() error { return a.door.Run(ctx) })
	g.Go(func() error { return a.keepAnchors(ctx) })
	g.Go(func() error { return a.again.Run(ctx) }) // on a manual clock too: it moves no model
	g.Go(func() error { return a.keepHours(ctx) })
	g.Go(func() error { return a.fleet.run(ctx) })
	g.Go(func() error { return a.sweepAttempts(ctx) })
	a.share(ctx, g)
	if !a.cfg.Manual {
		g.Go(func() error { return a.loop.Run(ctx) })
		g.Go(func() error { return a.worker.Run(ctx) })
		g.Go(func() error { return a.collect(ctx) })
		g.Go(func() error { return a.router.Run(ctx) })
		g.Go(func() error { return a.sender.Run(ctx) })
		g.Go(func() error { return a.digests(ctx) })
		g.Go(func() error { return a.subscribed(ctx) })
		g.Go(func() error { return a.incidents(ctx) })
	}
	return g.Wait()
}

// serveHTTP answers until faces is done, and then finishes what is under way.
func (a *App) serveHTTP(ctx, faces, requests context.Context, stopRequests func(), g *errgroup.Group, h http.Handler) {
	if a.cfg.front != nil {
		leave := a.cfg.front.lend(requests, h)
		g.Go(func() error {
			<-faces.Done()
			time.AfterFunc(time.Second, stopRequests)
			leave(10 * time.Second)
			return nil
		})
		return
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(a.cfg.Logger.Handler(), slog.LevelWarn),
	}
	g.Go(func() error {
		if err := server.Serve(secured(a.listener, a.tls)); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-faces.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		time.AfterFunc(time.Second, stopRequests) // streams would never end by themselves
		return server.Shutdown(grace)
	})
}

// Close closes what New opened. Closing twice is closing once.
func (a *App) Close() error {
	var errs []error
	for _, l := range []net.Listener{a.listener, a.grpc} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.workers != nil {
		errs = append(errs, a.workers.Close())
	}
	if a.log != nil {
		errs = append(errs, a.log.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.blobs != nil {
		errs = append(errs, a.blobs.Close())
	}
	if a.predictions != nil {
		errs = append(errs, a.predictions.Close())
	}
	if a.jobs != nil {
		errs = append(errs, a.jobs.Close())
	}
	if a.endTraces != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := a.endTraces(ctx); err != nil {
			a.cfg.Logger.Warn("the last traces were not sent", "error", err)
		}
	}
	a.listener, a.grpc, a.log, a.store, a.blobs, a.predictions, a.jobs, a.endTraces = nil, nil, nil, nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

// ofHere refuses addresses that others can reach while there are no users, for then
// whoever reaches the server may do everything.
func (a *App) ofHere(addresses ...string) error {
	for _, address := range addresses {
		if address == "" || a.door.Guarded() {
			continue
		}
		if !loopback(address) {
			return fault.New(fault.Invalid, "%s can be reached from other machines, and there are no users: whoever reaches it could do everything", address).
				Do("make the first user with flyball users add NAME --role admin --data %s, or listen on 127.0.0.1", a.cfg.Data)
		}
	}
	return nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fault.New(fault.Conflict, "the port of %s is taken", address).Do("stop the other program, or choose another with --listen")
	}
	return l, fault.Wrap(err, fault.Unavailable, "nothing can listen on %s", address)
}
