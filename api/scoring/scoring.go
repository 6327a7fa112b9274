// SPDX-License-Identifier: Apache-2.0

// Package scoring is the face of MLflow's scoring server, for each model that is
// served: POST /models/{model}/invocations in its five forms of JSON, in CSV and in
// Parquet, and what monitors ask. Rows are converted and checked by the model's
// signature here, before any model sees them. It holds no rule of who answers and logs
// nothing; package serving does. Errors name columns and rows, and repeat no values.
package scoring

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/serving"
)

// MLflowVersion is the version of MLflow whose scoring server the face answers as.
const MLflowVersion = "3.18.0"

// Options are what the face is built from.
type Options struct {
	Serving *serving.Server
	Logger  *slog.Logger          // nil: silent
	MaxBody int64                 // bytes of a request; 0: 64 MiB
	Timeout time.Duration         // of an answer; 0: 60 s, as MLflow's
	AtWork  int                   // requests whose bodies are in memory at once; 0: 256
	Metrics prometheus.Registerer // nil: none
}

// face is the routes and what they answer from.
type face struct {
	Options
	places  chan struct{}
	schemas schemas
	seconds *prometheus.HistogramVec
}

// New adds the face to the routes of a server.
func New(routes *api.Routes, o Options) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.MaxBody = cmp.Or(o.MaxBody, 64<<20)
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	o.AtWork = cmp.Or(o.AtWork, 256)
	f := &face{Options: o, places: make(chan struct{}, o.AtWork), seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "flyball_scoring_request_seconds", Help: "Time of requests in the form of MLflow's scoring server, by status.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
	}, []string{"status"})}
	if o.Metrics != nil {
		o.Metrics.MustRegister(f.seconds)
	}
	door := routes.Face(f.refuse, func(r *http.Request) string {
		n, _ := named(r) // what is none is refused later
		return n.Model
	})
	for _, root := range []string{"/models/{model}/", "/models/{model}/versions/{version}/"} {
		f.route(door, access.Predict, root+"invocations", http.MethodPost, f.invocations)
		f.route(door, access.Open, root+"ping", http.MethodGet, f.ping)
		f.route(door, access.Open, root+"health", http.MethodGet, f.ping)
		f.route(door, access.Open, root+"version", http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
			write(w, http.StatusOK, "application/json", []byte(MLflowVersion))
		})
	}
}

// route adds a path.
func (f *face) route(door api.Face, p access.Permission, path, verb string, do http.HandlerFunc) {
	door.Handle(p, path, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != verb && !(r.Method == http.MethodHead && verb == http.MethodGet) {
			w.Header().Set("Allow", verb)
			write(w, http.StatusMethodNotAllowed, "application/json", []byte(`{"detail":"Method Not Allowed"}`))
			return
		}
		do(w, r)
	})
}

// named is the model that a path means: a name, and a version or an alias after it.
func named(r *http.Request) (ident.Name, error) {
	name, what, found := r.PathValue("model"), "", false
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		name, what, found = name[:i], name[i+1:], true
	}
	if err := registry.CheckName(name); err != nil {
		return ident.Name{}, err
	}
	out := ident.Name{Model: name, Alias: what}
	if v := r.PathValue("version"); v != "" {
		if found {
			return ident.Name{}, fault.New(fault.Invalid, "%q names a version twice", clip(r.URL.Path))
		}
		what, found = v, true
	}
	if n, err := strconv.Atoi(what); err == nil && n > 0 {
		return ident.Name{Model: name, Version: n}, nil
	}
	if found && (what == "" || r.PathValue("version") != "") {
		return ident.Name{}, fault.New(fault.Invalid, "%q is no version", clip(what))
	}
	return out, nil
}

// ping answers whether the model can answer. One that nobody asked for lately is loaded.
func (f *face) ping(w http.ResponseWriter, r *http.Request) {
	name, err := named(r)
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	held, err := f.Serving.State(r.Context(), name)
	if err == nil && held.State != serving.Ready {
		var loan serving.Loan
		if loan, err = f.Serving.Lend(r.Context(), name); err == nil {
			loan.Back()
			if loan.Routed {
				err = fault.New(fault.Unavailable, "%s does not answer: %s", name.Model, held.Reason)
			}
		}
	}
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	write(w, http.StatusOK, "application/json", []byte("\n"))
}

// invocations answers rows.
func (f *face) invocations(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	watched := &watch{ResponseWriter: w}
	defer func() {
		f.seconds.WithLabelValues(strconv.Itoa(watched.status)).Observe(time.Since(began).Seconds())
	}()
	kind, refusal := contentType(r.Header.Get("Content-Type"))
	if refusal != "" {
		plain(watched, http.StatusUnsupportedMediaType, refusal)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), f.Timeout)
	defer cancel()
	out, err := f.answer(ctx, watched, r, kind)
	if err != nil {
		if ctx.Err() != nil && r.Context().Err() == nil {
			err = context.DeadlineExceeded // whatever the model made of it
		}
		f.refuse(watched, r, err)
		return
	}
	write(watched, http.StatusOK, "application/json", out)
}

// watch keeps the status of an answer.
type watch struct {
	http.ResponseWriter
	status int
}

func (w *watch) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// The content types.
const (
	jsonType    = "application/json"
	csvType     = "text/csv"
	parquetType = "application/vnd.apache.parquet"
)

// contentType is the type of a body, or the text of the refusal.
func contentType(header string) (kind, refusal string) {
	kind, rest, _ := strings.Cut(header, ";")
	kind = strings.TrimSpace(kind)
	var unknown []string
	for pair := range strings.SplitSeq(rest, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case key == "":
		case key != "charset":
			unknown = append(unknown, clip(key))
		case strings.ToLower(strings.Trim(value, `"`)) != "utf-8":
			return "", "The scoring server only supports UTF-8"
		}
	}
	if len(unknown) > 0 {
		return "", "Unrecognized content type parameters: " + strings.Join(unknown, ", ") + ". " + changed
	}
	switch kind {
	case jsonType, csvType, parquetType:
		return kind, ""
	}
	return "", "This predictor only supports the following content types: Types: ['text/csv', 'application/json', 'application/vnd.apache.parquet']. Got '" + clip(header) + "'."
}

func itoa(n int) string { return strconv.Itoa(n) }
