// SPDX-License-Identifier: Apache-2.0

// Package mlflow is MLflow's REST face: an unmodified MLflow client works after its
// tracking URI was changed. It translates requests, answers and faults and holds no
// rule; package experiment says what may be logged. Each route states the permission
// it needs, and one without does not start.
package mlflow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/api"
	"flyball/blob/artifact"
	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/model/registry"
)

// Options are what the face is built from.
type Options struct {
	Tracker   *experiment.Tracker
	Registry  *registry.Registrar
	Artifacts *artifact.Tree
	Now       func() time.Time // nil: the machine's clock
	Version   string           // Flyball's own, sent in a header beside MLflow's
	Logger    *slog.Logger     // nil: silent
	MaxBody   int64            // bytes of a JSON request; 0: 32 MiB. Uploads have their own bound
	AtWork    int              // requests worked on at once; 0: 256. More wait a moment and are told to come again
	Wait      time.Duration    // how long they wait; 0: 5 s

	Metrics prometheus.Registerer // nil: none
}

// face is the routes and what they answer from.
type face struct {
	Options
	door   api.Face
	verbs  map[string]map[string]http.HandlerFunc // path → verb → handler
	work   *limiter                               // JSON requests
	large  *limiter                               // of these, the ones with a body that is not small
	stream *limiter                               // uploads and downloads

	metrics *metrics
}

// New adds the face to the routes of a server.
func New(routes *api.Routes, o Options) {
	f := bare(routes, o)
	f.groups()
	f.mount()
}

// bare is a face that has added no routes yet.
func bare(routes *api.Routes, o Options) *face {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.MaxBody = cmp.Or(o.MaxBody, 32<<20)
	o.AtWork = cmp.Or(o.AtWork, 256)
	o.Wait = cmp.Or(o.Wait, 5*time.Second)
	f := &face{
		Options: o, verbs: map[string]map[string]http.HandlerFunc{},
		work: newLimiter(o.AtWork, o.Wait), large: newLimiter(4, o.Wait), stream: newLimiter(o.AtWork, o.Wait),
	}
	f.door = routes.Face(f.refuse, nobodys)
	f.metrics = newMetrics(o.Metrics, f.work, f.stream)
	return f
}

// nobodys says that no route is about one model: names are in bodies, which are read by
// who may ask. So MLflow's API needs a role for all models.
func nobodys(*http.Request) string { return "" }

// mount adds the routes to the server's.
func (f *face) mount() {
	for _, path := range slices.Sorted(maps.Keys(f.verbs)) {
		if underRoot(path) {
			f.door.Pass(path, f.byVerb(f.verbs[path]))
			continue
		}
		for verb, do := range f.verbs[path] { // the pages of Flyball share these paths
			f.door.Pass(verb+" "+path, do)
		}
	}
	f.door.Handle(access.Open, "/api/", f.unknown)
	f.door.Handle(access.Open, "/ajax-api/", f.unknown)
}

// groups adds every route.
func (f *face) groups() {
	f.discoveryRoutes()
	f.experimentRoutes()
	f.runRoutes()
	f.metricRoutes()
	f.registryRoutes()
	f.versionRoutes()
	f.loggedModelRoutes()
	f.artifactRoutes()
}

// roots are where every call is served: clients use the first, web pages the second.
var roots = [2]string{"/api", "/ajax-api"}

func underRoot(path string) bool {
	return strings.HasPrefix(path, roots[0]+"/") || strings.HasPrefix(path, roots[1]+"/")
}

// route adds a call whose request and answer are JSON. A path such as
// experiments/create hangs below /2.0/mlflow/; one that begins with a slash, such as
// /3.0/mlflow/server-info, below the roots themselves. The answer is what do returns;
// nil is {}. A call without a permission is a defect that shows at the first start.
func (f *face) route(p access.Permission, verb, path string, do func(ctx context.Context, in *args) (any, error)) {
	f.add(p, verb, path, f.work, func(w http.ResponseWriter, r *http.Request) {
		in, err := f.read(w, r)
		if err == nil {
			var out any
			if out, err = do(r.Context(), in); err == nil {
				f.answer(w, r, out)
				return
			}
		}
		f.refuse(w, r, err)
	})
}

// raw adds a call that reads and writes its bodies itself: the paths are those of
// route. It answers faults with refuse.
func (f *face) raw(p access.Permission, verb, path string, do http.HandlerFunc) {
	f.add(p, verb, path, f.stream, do)
}

// page adds a call that is not below the roots, such as /get-artifact.
func (f *face) page(p access.Permission, verb, path string, do http.HandlerFunc) {
	f.put(p, verb, path, f.stream, do)
}

func (f *face) add(p access.Permission, verb, path string, l *limiter, do http.HandlerFunc) {
	if !strings.HasPrefix(path, "/") {
		path = "/2.0/mlflow/" + path
	}
	for _, root := range roots {
		f.put(p, verb, root+path, l, do)
	}
}

func (f *face) put(p access.Permission, verb, path string, l *limiter, do http.HandlerFunc) {
	if f.verbs[path] == nil {
		f.verbs[path] = map[string]http.HandlerFunc{}
	}
	if f.verbs[path][verb] != nil {
		panic(fmt.Sprintf("mlflow: %s %s is there twice", verb, path))
	}
	f.verbs[path][verb] = f.door.Guard(p, verb+" "+path, func(w http.ResponseWriter, r *http.Request) {
		leave, err := l.enter(r.Context())
		if err != nil {
			f.refuse(w, r, err)
			return
		}
		defer leave()
		defer f.metrics.took(path, time.Now())
		do(w, r)
	})
}

// byVerb chooses the handler of a path. Without its own, HEAD is a GET.
func (f *face) byVerb(verbs map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		do := verbs[r.Method]
		if do == nil && r.Method == http.MethodHead {
			do = verbs[http.MethodGet]
		}
		if do == nil {
			w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
			f.refuse(w, r, failure(http.StatusMethodNotAllowed, "BAD_REQUEST", "The method is not allowed for the requested URL."))
			return
		}
		do(w, r)
	}
}

// unknown answers every path that no route has. Clients take it for "not supported"
// and go on, so it is never a 5xx.
func (f *face) unknown(w http.ResponseWriter, r *http.Request) {
	f.refuse(w, r, failure(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "This server has no "+cut(r.Method, 20)+" "+cut(r.URL.Path, 200)))
}

// limiter bounds how many requests are at work.
type limiter struct {
	places chan struct{}
	wait   time.Duration
}

func newLimiter(n int, wait time.Duration) *limiter {
	return &limiter{places: make(chan struct{}, n), wait: wait}
}

// enter takes a place and returns what gives it back. When none comes free in time it
// is an Exhausted fault, and nothing has been read or written yet: the client may send
// the request again, whatever it asks for.
func (l *limiter) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-l.places }
	select {
	case l.places <- struct{}{}:
		return leave, nil
	default:
	}
	patience := time.NewTimer(l.wait)
	defer patience.Stop()
	select {
	case l.places <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-patience.C:
		return nil, fault.New(fault.Exhausted, "The server has more requests than it can work on").Do("send it again in a moment")
	}
}
