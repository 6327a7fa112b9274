// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"flyball/fault"
)

// problem is an error as MLflow answers it.
type problem struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
	State   string `json:"sqlstate,omitempty"`
	Class   string `json:"error_class,omitempty"`

	status int
	retry  string // Retry-After in seconds; empty: none
	advise bool   // MLflow has no text for it, so there is room for advice
}

// Error is the message.
func (p *problem) Error() string { return p.Message }

// failure is an error that no kind of fault stands for. The code is MLflow's.
func failure(status int, code, message string) error {
	return &problem{Code: code, Message: message, status: status}
}

// kinds is the one table from a fault's kind to MLflow's answer. Clients take an
// error_code apart, not a status, but they decide by the status whether to try again:
// so a user's mistake is never a 5xx, and overload is 429.
var kinds = map[fault.Kind]problem{
	fault.Invalid:         {status: http.StatusBadRequest, Code: "INVALID_PARAMETER_VALUE", State: "KAM00", Class: "INVALID_PARAMETER_VALUE"},
	fault.NotFound:        {status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", State: "KAM00", Class: "RESOURCE_NOT_FOUND"},
	fault.Conflict:        {status: http.StatusBadRequest, Code: "RESOURCE_ALREADY_EXISTS", State: "KAM00", Class: "RESOURCE_ALREADY_EXISTS"},
	fault.Denied:          {status: http.StatusForbidden, Code: "PERMISSION_DENIED", advise: true},
	fault.Unauthenticated: {status: http.StatusUnauthorized, Code: "UNAUTHENTICATED", advise: true},
	fault.TooLarge:        {status: http.StatusRequestEntityTooLarge, Code: "BAD_REQUEST", advise: true},
	fault.Exhausted:       {status: http.StatusTooManyRequests, Code: "REQUEST_LIMIT_EXCEEDED", retry: "1", advise: true},
	fault.Unavailable:     {status: http.StatusTooManyRequests, Code: "REQUEST_LIMIT_EXCEEDED", retry: "2", advise: true},
	fault.Refused:         {status: http.StatusBadRequest, Code: "INVALID_STATE", State: "KAM00", Class: "INVALID_PARAMETER_VALUE", advise: true},
	fault.Waiting:         {status: http.StatusBadRequest, Code: "INVALID_STATE", State: "KAM00", Class: "INVALID_PARAMETER_VALUE", advise: true},
}

// problemOf is err as it is answered. What only whoever runs the server should know is
// not in it.
func problemOf(err error) problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return *p
	}
	if errors.Is(err, context.Canceled) {
		return problem{status: 499, Code: "CANCELLED", Message: "The caller went away"}
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		if p, ok := kinds[e.Kind]; ok {
			if after := fault.RetryAfter(err); after > 0 {
				p.retry = strconv.Itoa(after)
			}
			p.Message = e.What
			if e.Advice != "" && p.advise {
				p.Message += "; " + e.Advice
			}
			return p
		}
	}
	return problem{status: http.StatusInternalServerError, Code: "INTERNAL_ERROR", Message: "The server failed; its log says why"}
}

// refuse answers err.
func (f *face) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	f.metrics.refused.WithLabelValues(p.Code).Inc()
	switch {
	case p.status >= http.StatusInternalServerError:
		f.Logger.ErrorContext(r.Context(), "a request failed", "method", r.Method, "path", cut(r.URL.Path, 200), "error", err)
	case fault.Is(err, fault.Unavailable):
		f.Logger.WarnContext(r.Context(), "a request could not be served", "method", r.Method, "path", cut(r.URL.Path, 200), "error", err)
	}
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p problem) {
	if p.retry != "" {
		w.Header().Set("Retry-After", p.retry)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(p) // the caller may have gone; there is nobody left to tell
}

// answer writes a call's answer. An answer is made before its first byte is sent, so
// that what cannot be said is an error and not half a body.
func (f *face) answer(w http.ResponseWriter, r *http.Request, v any) {
	if long, ok := v.(interface{ writeTo(w io.Writer) error }); ok {
		w.Header().Set("Content-Type", "application/json")
		if err := long.writeTo(w); err != nil {
			f.Logger.WarnContext(r.Context(), "an answer broke off", "path", cut(r.URL.Path, 200), "error", err)
			panic(http.ErrAbortHandler) // else the caller would take half an answer for a whole one
		}
		return
	}
	var b bytes.Buffer
	if v == nil {
		b.WriteString("{}")
	} else {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			f.refuse(w, r, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b.Bytes()) // the caller may have gone
}

// cut shortens what is echoed to at most n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not inside a letter
		n--
	}
	return s[:n] + "…"
}
