// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/serving"
)

// paths adds the routes of REST to a mux.
type paths struct {
	*Face
	door api.Face
}

// Mount adds the face to the routes of a server, under /v2.
func (f *Face) Mount(routes *api.Routes) {
	p := paths{f, routes.Face(f.refuse, nil)}
	p.route(access.Open, http.MethodGet, "/v2/health/live", f.live)
	p.route(access.Open, http.MethodGet, "/v2/health/ready", f.readiness)
	p.route(access.Open, http.MethodGet, "/v2", f.server)
	p.route(access.Open, http.MethodGet, "/v2/{$}", f.server)
	p.route(access.Read, http.MethodGet, "/v2/models", f.list)
	p.route(access.Read, http.MethodGet, "/v2/models/stats", f.statistics)
	p.model(access.Read, http.MethodGet, "", f.metadata)
	p.model(access.Read, http.MethodGet, "/ready", f.modelReadiness)
	p.model(access.Read, http.MethodGet, "/config", f.config)
	p.model(access.Read, http.MethodGet, "/stats", f.statistics)
	p.model(access.Predict, http.MethodPost, "/infer", f.inferREST)
	p.route(access.Read, http.MethodPost, "/v2/repository/index", f.index)
	p.route(access.Operate, http.MethodPost, "/v2/repository/models/{model}/load", f.load)
	p.route(access.Operate, http.MethodPost, "/v2/repository/models/{model}/unload", f.unload)
	for _, path := range []string{
		"/v2/systemsharedmemory/", "/v2/cudasharedmemory/", "/v2/trace/", "/v2/logging",
		"/v2/models/{model}/trace/setting",
	} {
		p.missing(path)
	}
	for _, what := range []string{"/generate", "/generate_stream", "/infer_stream"} {
		p.missing("/v2/models/{model}" + what)
		p.missing("/v2/models/{model}/versions/{version}" + what)
	}
	p.door.Handle(access.Open, "/v2/", func(w http.ResponseWriter, r *http.Request) {
		f.refuse(w, r, fault.New(fault.NotFound, "this server has no %s", clip([]byte(r.URL.Path))))
	})
}

// model adds a route of a model and of a version of it.
func (p paths) model(permission access.Permission, verb, path string, do func(w http.ResponseWriter, r *http.Request) error) {
	p.route(permission, verb, "/v2/models/{model}"+path, do)
	p.route(permission, verb, "/v2/models/{model}/versions/{version}"+path, do)
}

// route adds a route. One without a permission is a defect that shows at the first start.
func (p paths) route(permission access.Permission, verb, path string, do func(w http.ResponseWriter, r *http.Request) error) {
	if strings.Count(path, "/") == 1 {
		path = "GET " + path // a single segment of any method would stand in the way of the pages
	}
	p.door.Handle(permission, path, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != verb && (r.Method != http.MethodHead || verb != http.MethodGet) {
			w.Header().Set("Allow", verb)
			writeError(w, http.StatusMethodNotAllowed, "the path takes "+verb)
			return
		}
		if err := do(w, r); err != nil {
			p.refuse(w, r, err)
		}
	})
}

// missing adds a path of an extension that is not here.
func (p paths) missing(path string) {
	p.door.Handle(access.Open, path, func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotImplemented, "this server has no "+clip([]byte(r.URL.Path)))
	})
}

// refuse answers err.
func (f *Face) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	f.log(r.Context(), r.Method+" "+clip([]byte(r.URL.Path)), err, p)
	if p.retry {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, fault.RetryAfter(err))))
	}
	writeError(w, p.status, p.message)
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may have gone; there is nobody left to tell
}

func answer(w http.ResponseWriter, v any) error {
	writeJSON(w, http.StatusOK, v)
	return nil
}

// asksFor is the model that a path names.
func asksFor(r *http.Request) (ident.Name, error) {
	return nameOf(r.PathValue("model"), r.PathValue("version"))
}

func (f *Face) live(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, map[string]bool{"live": true})
}

// readiness has both keys: the protocol's text says live, and its clients read ready.
func (f *Face) readiness(w http.ResponseWriter, r *http.Request) error {
	if err := f.ready(r.Context()); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"live": true, "ready": false, "error": problemOf(err).message})
		return nil
	}
	return answer(w, map[string]bool{"live": true, "ready": true})
}

func (f *Face) server(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, map[string]any{"name": name, "version": f.Version, "extensions": extensions()})
}

func (f *Face) list(w http.ResponseWriter, r *http.Request) error {
	all, err := f.Serving.Index(r.Context())
	if err != nil {
		return err
	}
	models := []string{}
	for _, h := range all { // by name
		if n := len(models); n == 0 || models[n-1] != h.Model {
			models = append(models, h.Model)
		}
	}
	return answer(w, map[string][]string{"models": models})
}

func (f *Face) modelReadiness(w http.ResponseWriter, r *http.Request) error {
	n, err := asksFor(r)
	if err != nil {
		return err
	}
	ok, why, err := f.modelReady(r.Context(), n)
	switch {
	case err != nil:
		return err
	case !ok:
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"name": n.Model, "ready": false, "error": "the model is not ready: " + why})
		return nil
	}
	return answer(w, map[string]any{"name": n.Model, "ready": true})
}

func (f *Face) metadata(w http.ResponseWriter, r *http.Request) error {
	n, err := asksFor(r)
	if err != nil {
		return err
	}
	m, err := f.describe(r.Context(), n)
	if err != nil {
		return err
	}
	return answer(w, m)
}

func (f *Face) config(w http.ResponseWriter, r *http.Request) error {
	n, err := asksFor(r)
	if err != nil {
		return err
	}
	s, _, err := f.schema(r.Context(), n)
	if err != nil {
		return err
	}
	type tensor struct {
		Name string  `json:"name"`
		Type string  `json:"data_type"`
		Dims []int64 `json:"dims"`
	}
	part := func(in []tensorInfo) []tensor {
		out := make([]tensor, len(in))
		for i, t := range in {
			out[i] = tensor{t.Name, configType(t.Datatype).String(), t.Shape}
		}
		return out
	}
	return answer(w, map[string]any{
		"name": n.Model, "platform": s.platform(), "backend": name, "max_batch_size": 0,
		"input": part(s.columns()), "output": part(s.outputs()),
	})
}

func (f *Face) statistics(w http.ResponseWriter, r *http.Request) error {
	all, err := f.statisticsOf(r.Context(), r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return err
	}
	type part struct {
		Count uint64 `json:"count"`
		NS    uint64 `json:"ns"`
	}
	out := []map[string]any{}
	of := func(d *duration) part { return part{d.count.Load(), d.ns.Load()} }
	for _, c := range all {
		out = append(out, map[string]any{
			"name": c.Model, "version": strconv.Itoa(c.Version), "last_inference": c.last.Load(),
			"inference_count": c.rows.Load(), "execution_count": c.requests.Load(),
			"inference_stats": map[string]part{
				"success": of(&c.success), "fail": of(&c.fail), "queue": {},
				"compute_input": of(&c.input), "compute_infer": of(&c.infer), "compute_output": {},
				"cache_hit": {}, "cache_miss": {},
			},
			"batch_stats": []any{},
		})
	}
	return answer(w, map[string]any{"model_stats": out})
}

func (f *Face) index(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Ready bool `json:"ready"`
	}
	if err := f.optional(w, r, &in); err != nil {
		return err
	}
	all, err := f.held(r.Context(), in.Ready)
	if err != nil {
		return err
	}
	type entry struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
	}
	out := make([]entry, len(all))
	for i, h := range all {
		out[i] = entry{h.Model, strconv.Itoa(h.Version), h.State, h.Reason}
	}
	return answer(w, out)
}

// optional reads a small JSON body, which need not be there.
func (f *Face) optional(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := f.body(w, r)
	if err != nil {
		return err
	}
	defer b.free()
	if len(b.bytes) == 0 {
		return nil
	}
	return fault.Wrap(json.Unmarshal(b.bytes, v), fault.Invalid, "the body is not a JSON object as the protocol has it")
}

// loading is the body of a request to load or unload a model.
type loading struct {
	Parameters map[string]any `json:"parameters"`
}

// check refuses what would make another model of it.
func (l loading) check() error {
	for key := range l.Parameters {
		if key == "config" || strings.HasPrefix(key, "file:") {
			return fault.New(fault.Invalid, "a model is loaded as it was registered; %s cannot be given", clip([]byte(key)))
		}
	}
	return nil
}

func (f *Face) load(w http.ResponseWriter, r *http.Request) error {
	n, err := f.loading(w, r)
	if err != nil {
		return err
	}
	if err := f.Serving.Load(r.Context(), n); err != nil {
		return err
	}
	return answer(w, map[string]any{"name": n.Model, "load": true})
}

func (f *Face) unload(w http.ResponseWriter, r *http.Request) error {
	n, err := f.loading(w, r)
	if err != nil {
		return err
	}
	if err := f.Serving.Unload(r.Context(), n); err != nil {
		return err
	}
	return answer(w, map[string]any{"name": n.Model, "unload": true})
}

func (f *Face) loading(w http.ResponseWriter, r *http.Request) (ident.Name, error) {
	n, err := asksFor(r)
	if err != nil {
		return n, err
	}
	var in loading
	if err := f.optional(w, r, &in); err != nil {
		return n, err
	}
	return n, in.check()
}

// onlyReady are those that answer.
func onlyReady(all []serving.Held) []serving.Held {
	return slices.DeleteFunc(slices.Clone(all), func(h serving.Held) bool { return h.State != serving.Ready })
}
