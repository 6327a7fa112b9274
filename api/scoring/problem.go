// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"flyball/fault"
)

// problem is an error as MLflow's scoring server answers it.
type problem struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
	State   string `json:"sqlstate,omitempty"`
	Class   string `json:"error_class,omitempty"`

	status int
	retry  string // Retry-After in seconds; empty: none
}

// Error is the message.
func (p *problem) Error() string { return p.Message }

// badRequest is what is wrong with the form of a request.
func badRequest(format string, args ...any) error {
	return &problem{
		Code: "BAD_REQUEST", Message: fmt.Sprintf(format, args...), State: "KAM00", Class: "INVALID_PARAMETER_VALUE",
		status: http.StatusBadRequest,
	}
}

// invalidInput is badRequest with the words that MLflow begins with.
func invalidInput(format string, args ...any) error {
	return badRequest("Invalid input. "+format, args...)
}

// unenforced is rows that the signature does not let through.
func unenforced(schema, format string, args ...any) error {
	return &problem{
		Code: "INVALID_PARAMETER_VALUE", State: "KAM01", Class: "SCHEMA_ENFORCEMENT_FAILED", status: http.StatusBadRequest,
		Message: "Failed to predict data. \nError: Failed to enforce schema of data with schema '" + schema + "'. Error: " + fmt.Sprintf(format, args...),
	}
}

// badParams is what is wrong with params.
func badParams(format string, args ...any) error {
	return &problem{
		Code: "INVALID_PARAMETER_VALUE", State: "KAM00", Class: "INVALID_PARAMETER_VALUE", status: http.StatusBadRequest,
		Message: "Failed to predict data. \nError: " + fmt.Sprintf(format, args...),
	}
}

// unfit is what MLflow says of whatever a model does not take.
const unfit = "Encountered an unexpected error while evaluating the model. Verify that the serialized input Dataframe is compatible with the model for inference."

// kinds is the one table from a fault's kind to MLflow's answer.
var kinds = map[fault.Kind]problem{
	fault.Invalid:         {status: http.StatusBadRequest, Code: "BAD_REQUEST", State: "KAM00", Class: "INVALID_PARAMETER_VALUE"},
	fault.NotFound:        {status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", State: "KAM00", Class: "RESOURCE_NOT_FOUND"},
	fault.Conflict:        {status: http.StatusConflict, Code: "RESOURCE_CONFLICT"},
	fault.Denied:          {status: http.StatusForbidden, Code: "PERMISSION_DENIED"},
	fault.Unauthenticated: {status: http.StatusUnauthorized, Code: "UNAUTHENTICATED"},
	fault.TooLarge:        {status: http.StatusRequestEntityTooLarge, Code: "BAD_REQUEST"},
	fault.Exhausted:       {status: http.StatusTooManyRequests, Code: "REQUEST_LIMIT_EXCEEDED", retry: "1"},
	fault.Unavailable:     {status: http.StatusServiceUnavailable, Code: "TEMPORARILY_UNAVAILABLE", retry: "2"},
	fault.Refused:         {status: http.StatusBadRequest, Code: "BAD_REQUEST", State: "KAM00", Class: "INVALID_PARAMETER_VALUE"},
	fault.Waiting:         {status: http.StatusConflict, Code: "INVALID_STATE"},
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
			if e.Kind == fault.Invalid {
				p.Message = unfit + " Error: " + e.What
			}
			if e.Advice != "" {
				p.Message += "; " + e.Advice
			}
			return p
		}
	}
	return problem{status: http.StatusInternalServerError, Code: "INTERNAL_ERROR", Message: "The server failed; its log says why"}
}

// refuse answers err.
func (f *face) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		plain(w, http.StatusGatewayTimeout, "Request processing time exceeded limit")
		return
	}
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError {
		f.Logger.WarnContext(r.Context(), "rows could not be scored", "model", r.PathValue("model"), "error", err)
	}
	if p.retry != "" {
		w.Header().Set("Retry-After", p.retry)
	}
	raw, err := json.Marshal(p)
	if err != nil { // texts always can be written
		raw = []byte("{}")
	}
	write(w, p.status, "application/json", raw)
}

// plain answers with a text.
func plain(w http.ResponseWriter, status int, text string) {
	write(w, status, "text/plain; charset=utf-8", []byte(text))
}

func write(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may have gone
}
