// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"

	"flyball/fault"
)

// problem is an error as both protocols answer it.
type problem struct {
	status  int // of HTTP
	code    codes.Code
	message string
	retry   bool // later may work: Retry-After
}

// problemOf is the one table from an error to both protocols. What only whoever runs the
// server should know is not in it.
func problemOf(err error) problem {
	e, known := errors.AsType[*fault.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return problem{status: 499, code: codes.Canceled, message: "the caller went away"}
	case errors.Is(err, context.DeadlineExceeded):
		return problem{status: http.StatusGatewayTimeout, code: codes.DeadlineExceeded, message: "the time for the request is over"}
	case !known || e.Kind == fault.Internal:
		return problem{status: http.StatusInternalServerError, code: codes.Internal, message: "the server failed; its log says why"}
	}
	p := problem{message: e.Error()}
	switch e.Kind {
	case fault.NotFound:
		p.status, p.code = http.StatusNotFound, codes.NotFound
	case fault.Conflict, fault.Waiting:
		p.status, p.code = http.StatusConflict, codes.FailedPrecondition
	case fault.Denied:
		p.status, p.code = http.StatusForbidden, codes.PermissionDenied
	case fault.Unauthenticated:
		p.status, p.code = http.StatusUnauthorized, codes.Unauthenticated
	case fault.Unavailable:
		p.status, p.code, p.retry = http.StatusServiceUnavailable, codes.Unavailable, true
	case fault.TooLarge:
		p.status, p.code = http.StatusRequestEntityTooLarge, codes.InvalidArgument
	case fault.Exhausted:
		p.status, p.code, p.retry = http.StatusTooManyRequests, codes.ResourceExhausted, true
	case fault.Refused:
		p.status, p.code = http.StatusBadRequest, codes.FailedPrecondition
	default:
		p.status, p.code = http.StatusBadRequest, codes.InvalidArgument
	}
	return p
}

// log tells whoever runs the server of an error that is its own.
func (f *Face) log(ctx context.Context, what string, err error, p problem) {
	if p.status == http.StatusInternalServerError {
		f.Logger.ErrorContext(ctx, "a request failed", "what", what, "error", err)
	}
}
