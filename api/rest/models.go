// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"flyball/api/wire"
	"flyball/control"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/model/registry"
)

// maxData bounds one uploaded data file.
const maxData = 8 << 30

func (f *face) modelRoutes() {
	type apply struct{ Body wire.ApplyRequest }
	anywhere(f, access.Apply, http.MethodPost, "/v1/apply", "apply", "Apply a model file",
		func(ctx context.Context, in *apply) (*body[wire.ApplyResponse], error) {
			b := in.Body
			a := control.Application{
				Name: b.Name, File: b.File, PipelineName: b.PipelineName, Pipeline: b.Pipeline, Data: b.Data, Code: b.Code, Commit: b.Commit, Repin: b.Repin,
			}
			m, _, err := control.Read(a)
			if err == nil {
				err = access.From(ctx).Allow(access.Apply, m.Name)
			}
			if err != nil {
				return nil, err
			}
			got, err := f.Control.Apply(ctx, access.Actor(ctx), a, b.DryRun)
			return answer(wire.ApplyResponse{
				Model: got.Model.Name, Changed: got.Changed, Generation: got.Model.Generation, Warnings: got.Warnings,
			}, err)
		})
	type none struct{}
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/models", "models", "How all models stand that the caller may see",
		func(ctx context.Context, _ *none) (*body[[]wire.Status], error) {
			all, err := f.Control.Statuses(ctx)
			who := access.From(ctx)
			return answer(slices.DeleteFunc(all, func(s wire.Status) bool { return !who.May(access.Read, s.Model) }), err)
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}", "model", "How a model stands",
		func(ctx context.Context, in *OfModel) (*body[wire.Status], error) {
			return answer(f.Control.Status(ctx, in.Model))
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/file", "file", "The model file as applied",
		func(ctx context.Context, in *OfModel) (*body[wire.ApplyRequest], error) {
			m, err := f.Control.File(ctx, in.Model)
			return answer(wire.ApplyRequest{Name: m.Name + ".yaml", File: m.File, Pipeline: m.Pipeline, Data: m.Data, Code: m.Code}, err)
		})
	f.change(access.Train, "retrain", "Train now", f.Control.Retrain)
	f.change(access.Operate, "promote", "Move a release on at once", f.Control.Promote)
	f.change(access.Retreat, "rollback", "Take the newest version back at once", f.Control.Rollback)
	route(f, access.Retreat, http.MethodPost, "/v1/models/{model}/rollback/drill", "drill", "Prove that a rollback would work, and move nothing; what came of it is kept",
		func(ctx context.Context, in *OfModel) (*body[wire.Drill], error) {
			return answer(f.Control.Drill(ctx, in.Model))
		})
	f.change(access.Retreat, "hold", "Retrain no more by itself", f.Control.Hold)
	f.change(access.Operate, "resume", "Retrain by itself again", f.Control.Resume)
	f.versionRoutes()
	route(f, access.Read, http.MethodGet, "/v1/clock", "clock", "The server's time",
		func(context.Context, *none) (*body[wire.Clock], error) {
			return answer(wire.Clock{Now: f.Now(), Manual: f.Advance != nil}, nil)
		})
	if f.Advance == nil {
		return
	}
	type advance struct{ Body wire.Advance }
	route(f, access.Clock, http.MethodPost, "/v1/clock", "advance", "Move a manual clock, turn the loop and wait for its jobs",
		func(ctx context.Context, in *advance) (*body[wire.Clock], error) {
			err := f.Advance(ctx, in.Body.Now, !in.Body.Hold)
			return answer(wire.Clock{Now: f.Now(), Manual: true}, err)
		})
}

// OfVersion names a version in a path; huma reads it where it is embedded.
type OfVersion struct {
	OfModel
	Version int `path:"version" minimum:"1" doc:"the version's number"`
}

// versionRoutes are what may be asked of one version.
func (f *face) versionRoutes() {
	route(f, access.Train, http.MethodPost, "/v1/models/{model}/versions/{version}/reproduce", "reproduce", "Have a version made again and compared, in a job whose result is a Reproduced",
		func(ctx context.Context, in *OfVersion) (*body[wire.Changed], error) {
			return answer(f.Control.Reproduce(ctx, access.Actor(ctx), in.Model, in.Version))
		})
	type cancel struct {
		OfVersion
		Body wire.Change
	}
	route(f, access.Train, http.MethodPost, "/v1/models/{model}/versions/{version}/reproduce/cancel", "reproduce-cancel", "End what makes a version again",
		func(ctx context.Context, in *cancel) (*body[wire.Changed], error) {
			return answer(f.Control.CancelReproduction(ctx, access.Actor(ctx), in.Model, in.Version, in.Body.Why))
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions/{version}/reproductions", "reproductions", "The times that a version was made again, newest first",
		func(ctx context.Context, in *OfVersion) (*body[[]registry.Reproduction], error) {
			return answer(f.Control.Reproductions(ctx, in.Model, in.Version))
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions/{version}/dependence", "dependence", "How the scores of a version follow each column",
		func(ctx context.Context, in *OfVersion) (*body[wire.Dependence], error) {
			return answer(f.Control.Dependence(ctx, in.Model, in.Version))
		})
	route(f, access.Train, http.MethodPost, "/v1/models/{model}/versions/{version}/gate", "judge", "Have a registered version judged",
		func(ctx context.Context, in *OfVersion) (*body[wire.Changed], error) {
			return answer(f.Control.Judge(ctx, in.Model, in.Version, access.Actor(ctx)))
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions/{version}/promote", "foresee", "What a release of a version could find out, and how fast; it changes nothing",
		func(ctx context.Context, in *OfVersion) (*body[wire.Foreseen], error) {
			return answer(f.Control.Foresee(ctx, in.Model, in.Version))
		})
	type promote struct {
		OfVersion
		Body wire.Change
	}
	route(f, access.Propose, http.MethodPost, "/v1/models/{model}/versions/{version}/promote", "release", "Begin the release of a version that passed",
		func(ctx context.Context, in *promote) (*body[wire.Changed], error) {
			return answer(f.Control.Release(ctx, in.Model, in.Version, access.Actor(ctx), in.Body.Why))
		})
}

// change adds a route that changes a model's course by hand.
func (f *face) change(permission access.Permission, id, summary string, do func(ctx context.Context, model, by, why string) (wire.Changed, error)) {
	route(f, permission, http.MethodPost, "/v1/models/{model}/"+id, id, summary,
		func(ctx context.Context, in *change) (*body[wire.Changed], error) {
			return answer(do(ctx, in.Model, access.Actor(ctx), in.Body.Why))
		})
}

// upload keeps the bytes of a data file. It streams: nothing is held in memory.
func (f *face) upload(w http.ResponseWriter, r *http.Request) {
	d, n, err := f.Blobs.Put(r.Context(), http.MaxBytesReader(w, r.Body, maxData))
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fault.Wrap(err, fault.Invalid, "the upload broke off; nothing was kept")
		}
		f.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(wire.Upload{Digest: string(d), Size: n}) // the caller may have gone
}
