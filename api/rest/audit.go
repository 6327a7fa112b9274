// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flyball/api/wire"
	"flyball/control"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
)

func (f *face) auditRoutes() {
	type chain struct {
		After  int64     `query:"after" doc:"records after this number"`
		Before int64     `query:"before" doc:"records before this number; 0: up to the last"`
		Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		Since  time.Time `query:"since" doc:"at or after"`
		Actor  string    `query:"actor" doc:"who did it"`
		Action string    `query:"action" doc:"what was done"`
		Object string    `query:"object" doc:"what it was done to; with a model its versions, too"`
		Newest bool      `query:"newest" doc:"the newest first"`
	}
	route(f.then(), access.Audit, http.MethodGet, "/v1/audit", "audit", "The audit chain",
		func(ctx context.Context, in *chain) (*body[[]audit.Record], error) {
			return answer(f.Store.FindAudit(ctx, audit.Query{
				After: in.After, Before: in.Before, Since: in.Since, Actor: in.Actor, Action: in.Action, Object: in.Object, Newest: in.Newest,
			}, in.Limit))
		})
	type none struct{}
	route(f, access.Audit, http.MethodGet, "/v1/audit/verify", "verify-audit", "Recompute the audit chain, without what it tells of",
		func(ctx context.Context, _ *none) (*body[wire.AuditVerified], error) {
			v, err := f.Auditor.Verify(ctx, nil, false, func(audit.Step) {})
			return answer(wire.AuditVerified{Records: v.Records}, err)
		})
	route(f, access.Audit, http.MethodGet, "/v1/audit/anchor", "audit-anchor", "Where the audit chain ends now",
		func(ctx context.Context, _ *none) (*body[audit.Anchor], error) { return answer(f.Anchor(ctx)) })
	type span struct {
		From time.Time `query:"from" doc:"the first record at or after"`
		To   time.Time `query:"to" doc:"the last record before"`
	}
	route(f, access.Audit, http.MethodGet, "/v1/audit/export", "export-audit", "The audit chain, one record a line as docs/formats/audit.md has it; the last line is {}",
		func(_ context.Context, in *span) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(c huma.Context) { f.exportAudit(c, in.From, in.To) }}, nil
		})
	type forget struct{ Body wire.Forget }
	route(f, access.Keep, http.MethodPost, "/v1/forget", "forget", "Remove for good what is kept of a caller's key",
		func(ctx context.Context, in *forget) (*body[control.Forgot], error) {
			return answer(f.Forgetter.Forget(ctx, in.Body.Model, in.Body.Key, access.Actor(ctx), in.Body.Why))
		})
	f.desk.Handle(access.Audit, "POST /v1/audit/verify", f.verifyAudit)
}

// exportAudit streams records as lines of JSON. Without its last line, {}, the answer
// broke off.
func (f *face) exportAudit(c huma.Context, from, to time.Time) {
	c.SetHeader("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(c.BodyWriter(), 1<<16)
	err := f.writeAudit(c.Context(), out, from, to)
	if err == nil {
		_, _ = out.WriteString("{}\n") // Flush has its error
		err = out.Flush()
	}
	if err != nil && c.Context().Err() == nil {
		f.Logger.ErrorContext(c.Context(), "the export of the audit chain broke off", "error", err)
	}
}

// writeAudit writes the records from the first to the last of a time, and all between.
func (f *face) writeAudit(ctx context.Context, out *bufio.Writer, from, to time.Time) error {
	first, last, err := f.Store.AuditSpan(ctx, from, to)
	if err != nil {
		return err
	}
	for at := first - 1; at < last; {
		rs, err := f.Store.FindAudit(ctx, audit.Query{After: at}, 1000)
		if err != nil || len(rs) == 0 {
			return err
		}
		for _, r := range rs {
			if r.Seq > last {
				break
			}
			line, err := audit.Line(r)
			if err != nil {
				return err
			}
			_, _ = out.Write(line) // Flush has its error
			_ = out.WriteByte('\n')
		}
		at = rs[len(rs)-1].Seq
	}
	return nil
}

// verifyAudit verifies the chain and what it tells of, and answers with a
// wire.AuditVerifying for each step, as lines of JSON.
func (f *face) verifyAudit(w http.ResponseWriter, r *http.Request) {
	in := wire.AuditVerify{Predictions: true}
	read := json.NewDecoder(http.MaxBytesReader(w, r.Body, f.MaxBody))
	read.DisallowUnknownFields()
	if err := read.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		f.writeProblem(w, r, fault.Wrap(err, fault.Invalid, "the request cannot be read"))
		return
	}
	out := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	say := func(v wire.AuditVerifying) {
		_ = lines.Encode(v) // the caller may have gone
		_ = out.Flush()
	}
	result, err := f.Auditor.Verify(r.Context(), in.Anchors, in.Predictions, func(s audit.Step) { say(wire.AuditVerifying{Step: &s}) })
	if err == nil {
		say(wire.AuditVerifying{Result: &result})
		return
	}
	if m, ok := errors.AsType[*huma.ErrorModel](f.problem(r.Context(), err)); ok {
		say(wire.AuditVerifying{Problem: &wire.Problem{Status: m.Status, Title: m.Title, Detail: m.Detail}})
	}
}
