// SPDX-License-Identifier: Apache-2.0

// Package rest is the native REST face under /v1: it translates requests and faults
// and holds no rule. The OpenAPI document at /openapi.json is made from the same Go
// types that are served. Each route states the permission it needs; a route without
// one does not start.
package rest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"flyball/api"
	"flyball/api/wire"
	"flyball/blob"
	"flyball/control"
	"flyball/event"
	"flyball/experiment/archive"
	"flyball/experiment/compare"
	"flyball/governance/access"
	"flyball/governance/audit"
	"flyball/governance/retention"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// Store is what the face reads of the records. Package store implements it.
type Store interface {
	AliasHistory(ctx context.Context, model string) ([]registry.Move, error)
	Releases(ctx context.Context, model string) ([]release.State, error)
	Findings(ctx context.Context, model string, openOnly bool) ([]monitoring.Finding, error)
	Events(ctx context.Context, after int64, model string, limit int) ([]event.Event, error)
	LastEvents(ctx context.Context, model string, n int) ([]event.Event, error)
	Changed() <-chan struct{}
	FindAudit(ctx context.Context, q audit.Query, limit int) ([]audit.Record, error)
	AuditSpan(ctx context.Context, from, to time.Time) (first, last int64, err error)
	VerifyAudit(ctx context.Context) (int64, error)
}

// Options are what the face is built from.
type Options struct {
	Control   *control.Service
	Serving   *serving.Server
	Store     Store
	Log       prediction.Log
	Blobs     blob.Store
	Kept      archive.Kept      // what an export reads
	Importer  *archive.Importer // what an import goes through
	Compare   *compare.Finder   // finds and compares runs
	Commands  Commands          // of trainings
	Collector *retention.Collector
	Auditor   *audit.Auditor
	Forgetter *control.Forgetter
	Anchor    func(ctx context.Context) (audit.Anchor, error) // where the audit chain ends now
	Door      *access.Directory                               // who may what; nil: there are no users
	Retention retention.Policy                                // what a collection keeps when its caller says nothing
	Replicas  Replicas                                        // that serve what this server decides; nil: there can be none
	Alerts    Alerts                                          // on their way to people; without a router there are none
	Now       func() time.Time
	Advance   func(ctx context.Context, now time.Time, turn bool) error // moves a manual clock; nil: the clock is the machine's
	Backup    func(ctx context.Context, w io.Writer) error              // writes a copy of everything
	Version   string
	Logger    *slog.Logger
	Style     string // the style sheet that cards and dossiers carry inside
	MaxBody   int64  // of a request; 0: 32 MiB. Data files may be 8 GiB
}

// face is the routes and what they answer from.
type face struct {
	Options
	api   huma.API
	desk  *desk
	knows func(ctx context.Context, model string) error // NotFound for a model that there is not
	past  bool                                          // operations are added that tell how things stood at a moment
}

// newFace is a face without routes but for its own description at a path; empty: none.
func newFace(routes *api.Routes, opts Options, described string) *face {
	if opts.MaxBody == 0 {
		opts.MaxBody = 32 << 20
	}
	config := huma.DefaultConfig("Flyball", opts.Version)
	config.CreateHooks = nil // no $schema links in answers
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.OpenAPIPath = described
	config.DocsPath = "" // the usual pages load scripts from elsewhere
	config.Info.Description = "The loop for models that predict a number or a class from a table."
	f := &face{Options: opts}
	f.desk = &desk{Face: routes.Face(f.writeProblem, nil), needs: access.Open}
	f.api = humago.New(f.desk, config)
	f.desk.needs = ""
	return f
}

// New adds the native API to the routes of a server.
func New(routes *api.Routes, opts Options) {
	f := newFace(routes, opts, "/openapi")
	f.knows = func(ctx context.Context, model string) error {
		_, err := f.Control.Model(ctx, model)
		return err
	}
	f.predictRoute(routes.Face(f.writeProblem, func(r *http.Request) string { return named(r.PathValue("model")).Model }))
	f.predictRoutes()
	f.explainRoutes()
	f.modelRoutes()
	f.approvalRoutes()
	f.incidentRoutes()
	f.verdictRoute()
	f.proofRoutes()
	f.pipelineRoutes()
	f.dataRoutes()
	f.recordRoutes()
	f.runRoutes()
	f.commandRoutes()
	f.accessRoutes()
	f.maturityRoutes()
	if f.Alerts.Router != nil {
		f.alertRoutes()
	}
	f.auditRoutes()
	if f.Replicas != nil {
		f.replicaRoutes()
	}
	f.desk.Handle(access.Apply, "POST /v1/data", f.upload)
	f.desk.Past().Handle(access.Read, "GET /v1/events", f.events)
	f.desk.Handle(access.Track, "POST /v1/import", f.bringIn)
	f.desk.Handle(access.Rows, "GET /v1/export", f.takeOut)
	f.desk.Handle(access.Rows, "GET /v1/blobs/{digest}", f.blob)
	f.desk.Handle(access.Rows, "GET /v1/models/{model}/versions/{version}/archive", f.exportVersion)
	f.desk.Handle(access.Apply, "POST /v1/versions", f.importVersion)
	f.desk.Handle(access.Keep, "POST /v1/gc", f.collect)
	f.desk.Handle(access.Backup, "GET /v1/backup", f.backup)
}

// schemaName names a type in the OpenAPI document: by itself when it is the API's own,
// with its package else, as in PredictionLabel.
func schemaName(t reflect.Type, hint string) string {
	base := t
	for base.Kind() == reflect.Pointer || base.Kind() == reflect.Slice {
		base = base.Elem()
	}
	pkg := path.Base(base.PkgPath())
	if base.PkgPath() == "" || pkg == "wire" || pkg == "rest" || pkg == "control" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + huma.DefaultSchemaNamer(t, hint)
}

// route adds one operation. A route without a permission is a defect that shows at
// the first start.
func route[In, Out any](f *face, permission access.Permission, method, path, id, summary string, do func(context.Context, *In) (*Out, error)) {
	f.desk.needs, f.desk.past = permission, f.past
	defer func() { f.desk.needs, f.desk.past = "", false }() // the next says its own
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, MaxBodyBytes: f.MaxBody,
		Metadata: map[string]any{"permission": permission}, Extensions: map[string]any{"x-permission": permission},
	}
	if f.past {
		op.Parameters = []*huma.Param{asOf()}
	}
	huma.Register(f.api, op, func(ctx context.Context, in *In) (*Out, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, f.problem(ctx, err)
		}
		return out, nil
	})
}

// anywhere adds an operation that a role for any one model is enough for: do leaves out,
// or refuses, what concerns the others.
func anywhere[In, Out any](f *face, permission access.Permission, method, path, id, summary string, do func(context.Context, *In) (*Out, error)) {
	f.desk.anywhere = true
	defer func() { f.desk.anywhere = false }()
	route(f, permission, method, path, id, summary, do)
}

// then is the face for operations that tell how things stood at a moment: all that they
// answer with is read by their context.
func (f *face) then() *face {
	g := *f
	g.past = true
	return &g
}

// asOf describes the moment of which those are asked.
func asOf() *huma.Param {
	return &huma.Param{
		Name: api.AsOf, In: "query", Schema: &huma.Schema{Type: "string"}, Example: "2026-03-16T14:06:00Z",
		Description: "tell how this stood at a moment: RFC 3339, or a date for the end of that day in UTC; absent: how it stands now",
	}
}

// desk is where huma adds its routes: each behind the permission that was said last.
type desk struct {
	api.Face
	needs    access.Permission
	anywhere bool
	past     bool
}

// HandleFunc adds a route of huma's.
func (d *desk) HandleFunc(pattern string, do func(http.ResponseWriter, *http.Request)) {
	face := d.Face
	if d.anywhere {
		face = face.Anywhere()
	}
	if d.past {
		face = face.Past()
	}
	face.Handle(d.needs, pattern, do)
}

// ServeHTTP is for huma's own tests, which nobody runs here.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// body wraps what a route answers with.
type body[T any] struct{ Body T }

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{v}, nil
}

// OfModel names the model in a path; huma reads it where it is embedded.
type OfModel struct {
	Model string `path:"model" doc:"the model's name"`
}

// change asks for a change by hand.
type change struct {
	OfModel
	Body wire.Change
}
