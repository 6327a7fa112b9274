// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"flyball/api"
	"flyball/fault"
)

// statusOf is the one table from a fault's kind to an HTTP status.
func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict, fault.Waiting:
		return http.StatusConflict
	case fault.Denied:
		return http.StatusForbidden
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Refused:
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// problem is an error as RFC 9457 has it: the message for whoever asked. What only
// whoever runs the server should know is logged and left out.
func (f *face) problem(ctx context.Context, err error) error {
	e, known := errors.AsType[*fault.Error](err)
	if !known || e.Kind == fault.Internal {
		if errors.Is(err, context.Canceled) {
			return &huma.ErrorModel{Status: 499, Title: "canceled", Detail: "the caller went away"}
		}
		f.Logger.ErrorContext(ctx, "a request failed", "error", err)
		return &huma.ErrorModel{Status: http.StatusInternalServerError, Title: "internal", Detail: "the server failed; its log says why"}
	}
	return &huma.ErrorModel{Status: statusOf(e.Kind), Title: e.Kind.String(), Detail: e.Error()}
}

// writeProblem answers err where a handler is not huma's.
func (f *face) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	m, _ := errors.AsType[*huma.ErrorModel](f.problem(r.Context(), err))
	w.Header().Set("Content-Type", "application/problem+json")
	api.Later(w, err)
	w.WriteHeader(m.Status)
	_ = json.NewEncoder(w).Encode(m) // the caller may have gone; there is nobody left to tell
}
