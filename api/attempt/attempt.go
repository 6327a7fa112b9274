// SPDX-License-Identifier: Apache-2.0

// Package attempt is the face that programs on the nodes of a cluster talk to, under
// /v1/attempts: they fetch their inputs, and send what they print and make. Each shows
// the token of its attempt, which opens that attempt and nothing else. It holds no rule:
// package training/executor/cluster does.
package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
)

// Attempts is what the face needs. A cluster.Executor is one.
type Attempts interface {
	Enter(ctx context.Context, c cluster.Caller, node string) (cluster.Work, error)
	Input(ctx context.Context, c cluster.Caller, sum string) (io.ReadCloser, error)
	Alive(ctx context.Context, c cluster.Caller, u executor.Usage) error
	Print(ctx context.Context, c cluster.Caller, offset int64, piece []byte) error
	Put(ctx context.Context, c cluster.Caller, sum string, body io.Reader) error
	End(ctx context.Context, c cluster.Caller, s executor.Status) error
	Leave(ctx context.Context, c cluster.Caller, reason string) error
}

// Options are what the face is built from.
type Options struct {
	Engines map[string]Attempts // by the name that the ids of its attempts begin with
	Logger  *slog.Logger        // nil: none
}

type face struct{ Options }

// small bounds a body that is a few words, in bytes.
const small = 64 << 10

// New adds the routes. They are open: the attempt's token is asked for behind each of them.
func New(routes *api.Routes, o Options) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := face{o}
	door := routes.Face(f.refuse, nil)
	const run = " /v1/attempts/{attempt}/runs/{run}"
	for pattern, do := range map[string]func(http.ResponseWriter, *http.Request, Attempts, cluster.Caller) error{
		"POST" + run:                   f.enter,
		"GET" + run + "/inputs/{sum}":  f.input,
		"POST" + run + "/beat":         f.beat,
		"PUT" + run + "/log/{offset}":  f.log,
		"PUT" + run + "/outputs/{sum}": f.output,
		"POST" + run + "/end":          f.end,
		"POST" + run + "/left":         f.left,
	} {
		door.Handle(access.Open, pattern, func(w http.ResponseWriter, r *http.Request) {
			c := cluster.Caller{Attempt: r.PathValue("attempt"), Run: r.PathValue("run")}
			scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if strings.EqualFold(scheme, "Bearer") {
				c.Token = strings.TrimSpace(secret)
			}
			engine, _, _ := strings.Cut(c.Attempt, "-")
			err := error(fault.New(fault.Unavailable, "this server has no executor of that name")) // for now: its nodes go on
			if of := f.Engines[engine]; of != nil {
				err = do(w, r, of, c)
			}
			if err != nil {
				f.refuse(w, r, err)
			}
		})
	}
}

// refuse answers an error as a sentence.
func (f face) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.Invalid:
		status = http.StatusBadRequest
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Conflict:
		status = http.StatusConflict
	case fault.Unauthenticated:
		status = http.StatusUnauthorized
	case fault.TooLarge:
		status = http.StatusRequestEntityTooLarge
	case fault.Unavailable:
		status = http.StatusServiceUnavailable
	default:
		if r.Context().Err() == nil {
			f.Logger.ErrorContext(r.Context(), "a node's request failed", "error", err)
		}
		err = errors.New("the server failed; its log says why")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, err.Error()+"\n") // the caller may have gone
}

// body reads a JSON body of at most so many bytes.
func body(w http.ResponseWriter, r *http.Request, most int64, to any) error {
	raw, err := whole(w, r, most)
	if err != nil {
		return err
	}
	return fault.Wrap(json.Unmarshal(raw, to), fault.Invalid, "the request is no JSON of the right form")
}

func whole(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, fault.New(fault.TooLarge, "the request has more than %d bytes", most)
	}
	return raw, fault.Wrap(err, fault.Unavailable, "the request was cut off")
}

func (f face) enter(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	var in cluster.Entry
	if err := body(w, r, small, &in); err != nil {
		return err
	}
	work, err := of.Enter(r.Context(), c, in.Node[:min(len(in.Node), 255)])
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(work)
	return nil
}

func (f face) input(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	in, err := of.Input(r.Context(), c, r.PathValue("sum"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, in) // the node holds what came to its digest
	_ = in.Close()
	return nil
}

func (f face) beat(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	var u executor.Usage
	err := body(w, r, small, &u)
	if err == nil {
		err = of.Alive(r.Context(), c, u)
	}
	return none(w, err)
}

func (f face) log(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	offset, err := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	if err != nil {
		return fault.New(fault.Invalid, "the offset is no number")
	}
	piece, err := whole(w, r, cluster.MaxLog)
	if err == nil {
		err = of.Print(r.Context(), c, offset, piece)
	}
	return none(w, err)
}

func (f face) output(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	return none(w, of.Put(r.Context(), c, r.PathValue("sum"), r.Body))
}

func (f face) end(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	var s executor.Status
	err := body(w, r, cluster.MaxEnd, &s)
	if err == nil {
		err = of.End(r.Context(), c, s)
	}
	return none(w, err)
}

func (f face) left(w http.ResponseWriter, r *http.Request, of Attempts, c cluster.Caller) error {
	var l cluster.Farewell
	err := body(w, r, small, &l)
	if err == nil {
		err = of.Leave(r.Context(), c, l.Reason)
	}
	return none(w, err)
}

// none answers without a body.
func none(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
