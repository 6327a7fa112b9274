// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
)

// line is the way to the server, for one run of an attempt.
type line struct {
	base, token string
	http        *http.Client
	piece       int // bytes of the piece of the log that is under way; 0: none is
}

func newLine(o Options) *line {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 2 * time.Minute
	return &line{
		base:  strings.TrimSuffix(o.URL, "/") + "/v1/attempts/" + o.Attempt + "/runs/" + number(),
		token: o.Token, http: &http.Client{Transport: t},
	}
}

// over reports whether an error says that nothing is wanted of this run any more: it is
// over, or another has the attempt, or nobody knows it.
func over(err error) bool {
	return fault.Is(err, fault.Conflict) || fault.Is(err, fault.Unauthenticated)
}

// keep does something until it is done, as long as the server cannot answer and at most
// for so long.
func (l *line) keep(ctx context.Context, most time.Duration, do func(context.Context) error) error {
	wait := 100 * time.Millisecond
	for began := time.Now(); ; wait = min(2*wait, 10*time.Second) {
		err := do(ctx)
		if err == nil || !fault.Is(err, fault.Unavailable) || time.Since(began) > most {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// ask sends a request. A server that is not there, or that cannot answer now, is an
// Unavailable fault; the caller closes the body.
func (l *line) ask(ctx context.Context, method, path string, size int64, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.base+path, body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the address of the server is not one")
	}
	if size >= 0 {
		req.ContentLength = size
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the server does not answer")
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	_ = resp.Body.Close()
	kind := fault.Unavailable // a proxy may say anything while the server is away
	switch resp.StatusCode {
	case http.StatusBadRequest:
		kind = fault.Invalid
	case http.StatusConflict:
		kind = fault.Conflict
	case http.StatusUnauthorized:
		kind = fault.Unauthenticated
	case http.StatusRequestEntityTooLarge:
		kind = fault.TooLarge
	}
	return nil, fault.New(kind, "%s", strings.TrimSpace(string(said)))
}

// say sends v and needs no answer but that it came.
func (l *line) say(ctx context.Context, method, path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return done(l.ask(ctx, method, path, -1, bytes.NewReader(raw)))
}

func done(r io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	return r.Close()
}

func (l *line) enter(ctx context.Context) (w cluster.Work, err error) {
	host, _ := os.Hostname()
	raw, err := json.Marshal(cluster.Entry{Node: host})
	if err != nil {
		return w, fmt.Errorf("encode: %w", err)
	}
	r, err := l.ask(ctx, http.MethodPost, "", -1, bytes.NewReader(raw))
	if err != nil {
		return w, err
	}
	defer func() { _ = r.Close() }()
	return w, fault.Wrap(json.NewDecoder(r).Decode(&w), fault.Unavailable, "the server's answer cannot be read")
}

func (l *line) alive(ctx context.Context, u executor.Usage) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return l.say(ctx, http.MethodPost, "/beat", u)
}

func (l *line) input(ctx context.Context, sum string) (io.ReadCloser, error) {
	return l.ask(ctx, http.MethodGet, "/inputs/"+sum, -1, nil)
}

// again is the part of buf that the next piece of the log may fill: as long as the one
// that was not answered, if there is one.
func (l *line) again(buf []byte) []byte {
	if l.piece > 0 {
		return buf[:l.piece]
	}
	return buf
}

func (l *line) log(ctx context.Context, offset int64, piece []byte) error {
	l.piece = len(piece)
	err := done(l.ask(ctx, http.MethodPut, fmt.Sprintf("/log/%d", offset), int64(len(piece)), bytes.NewReader(piece)))
	if err == nil {
		l.piece = 0
	}
	return err
}

func (l *line) put(ctx context.Context, f executor.File, body io.Reader) error {
	if f.Size == 0 {
		body = http.NoBody
	}
	return done(l.ask(ctx, http.MethodPut, "/outputs/"+f.SHA256, f.Size, io.NopCloser(body)))
}

func (l *line) end(ctx context.Context, s executor.Status) error {
	return l.say(ctx, http.MethodPost, "/end", s)
}

func (l *line) leave(ctx context.Context, reason string) error {
	return l.say(ctx, http.MethodPost, "/left", cluster.Farewell{Reason: reason})
}
