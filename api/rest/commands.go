// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/access"
)

// Commands are the programs that trainings run. training.Commands implements it.
type Commands interface {
	Logs(ctx context.Context, ref string, offset int64) (log io.ReadCloser, going bool, err error)
	Cancel(ctx context.Context, ref, by, why string) (string, error)
}

// maxLogs bounds one answer with a log: the rest is asked for by its offset.
const maxLogs = 4 << 20

// commandRoutes are about the commands of runs.
func (f *face) commandRoutes() {
	f.desk.Handle(access.Read, "GET /v1/runs/{id}/logs", f.logs)
	type cancel struct {
		ID   string `path:"id" doc:"a run's id, the beginning of one, or a version"`
		Body wire.Change
	}
	route(f, access.Operate, http.MethodPost, "/v1/runs/{id}/cancel", "run-cancel", "End the command of a run that goes on, and its training",
		func(ctx context.Context, in *cancel) (*body[wire.Changed], error) {
			text, err := f.Commands.Cancel(ctx, in.ID, access.Actor(ctx), in.Body.Why)
			return answer(wire.Changed{Text: text}, err)
		})
}

// logs gives what the command of a run printed from ?offset= on, at most 4 MiB, as it
// came. The header Flyball-Going says whether more may come later; without it, an empty
// answer is the end.
func (f *face) logs(w http.ResponseWriter, r *http.Request) {
	var offset int64
	var err error
	if s := r.URL.Query().Get("offset"); s != "" {
		if offset, err = strconv.ParseInt(s, 10, 64); err != nil || offset < 0 {
			f.writeProblem(w, r, fault.New(fault.Invalid, "offset=%s is no number of bytes", s))
			return
		}
	}
	log, going, err := f.Commands.Logs(r.Context(), r.PathValue("id"), offset)
	if err != nil {
		f.writeProblem(w, r, err)
		return
	}
	defer log.Close()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Flyball-Going", strconv.FormatBool(going))
	if _, err := io.Copy(w, io.LimitReader(log, maxLogs)); err != nil {
		panic(http.ErrAbortHandler) // the caller must not take what it has for the whole
	}
}
