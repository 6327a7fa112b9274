// SPDX-License-Identifier: Apache-2.0

// Package client is the Go client of the native API. Every command of the CLI goes
// through it. It translates; it decides nothing and retries nothing.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/event"
	"flyball/fault"
	"flyball/job"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 256 << 20

// Client speaks to one server. It may be used by many goroutines at once.
type Client struct {
	base           string
	token          string
	user, password string // in the token's place, where there is a user
	asOf           string // of which all is asked; empty: of now
	http           *http.Client
}

// New makes a client of the server at base, such as http://127.0.0.1:7180. token may
// be empty. h may be nil.
func New(base, token string, h *http.Client) *Client {
	if h == nil {
		h = &http.Client{}
	}
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: h}
}

// AsOf is a client that asks how things stood at a moment (zero: how they stand now). The
// server refuses what cannot be told of one, and any change.
func (c *Client) AsOf(t time.Time) *Client {
	o := *c
	if o.asOf = ""; !t.IsZero() {
		o.asOf = t.UTC().Format(time.RFC3339Nano)
	}
	return &o
}

// then is a path with the moment of which is asked.
func (c *Client) then(path string) string {
	switch {
	case c.asOf == "":
		return path
	case strings.Contains(path, "?"):
		return path + "&as_of=" + url.QueryEscape(c.asOf)
	}
	return path + "?as_of=" + url.QueryEscape(c.asOf)
}

// do sends in as JSON (nil: no body) and reads the answer into out (nil: none). A
// problem of the server comes back as the fault it was; a server that does not
// answer as an Unavailable one.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	res, err := c.send(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the server's answer to %s %s cannot be read", method, path)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path, kind string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+c.then(path), body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%q is not the address of a server", c.base)
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	switch {
	case c.user != "":
		req.SetBasicAuth(c.user, c.password)
	case c.token != "":
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable(c.base, err)
	}
	if res.StatusCode >= 400 {
		defer res.Body.Close()
		return nil, problem(res)
	}
	return res, nil
}

func unreachable(base string, err error) error {
	f := fault.New(fault.Unavailable, "no server answers at %s", base).Do("start one with flyball serve, or set FLYBALL_URL")
	f.Cause = err
	return f
}

// Unreachable reports whether err says that no server answered.
func Unreachable(err error) bool {
	_, is := errors.AsType[*url.Error](err)
	return is
}

// kinds is the way back from a status to a fault's kind.
var kinds = map[int]fault.Kind{
	400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Denied, 404: fault.NotFound, 409: fault.Conflict,
	413: fault.TooLarge, 422: fault.Refused, 429: fault.Exhausted, 503: fault.Unavailable,
}

func problem(res *http.Response) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	kind := kinds[res.StatusCode]
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err != nil || p.Detail == "" {
		return fault.New(kind, "the server answered %s", res.Status)
	}
	if kind == fault.Refused && p.Title != fault.Refused.String() {
		kind = fault.Invalid // the body did not fit the route's schema
	}
	var what strings.Builder
	what.WriteString(p.Detail)
	for _, e := range p.Errors {
		fmt.Fprintf(&what, "; %s (%s)", e.Message, e.Location)
	}
	return fault.New(kind, "%s", what.String())
}

func of(model, rest string) string { return "/v1/models/" + url.PathEscape(model) + rest }

// Predict asks for answers to the rows.
func (c *Client) Predict(ctx context.Context, model string, rows []json.RawMessage) (out wire.PredictResponse, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/predict"), wire.PredictRequest{Rows: rows}, &out)
}

// Ask asks for an answer to each row, with what a request says besides.
func (c *Client) Ask(ctx context.Context, model string, req wire.PredictRequest) (out wire.PredictResponse, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/predict"), req, &out)
}

// Label tells truths.
func (c *Client) Label(ctx context.Context, model string, ls []wire.Label) (out wire.LabelsResponse, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/labels"), wire.LabelsRequest{Labels: ls}, &out)
}

// Upload sends a data file and returns the digest under which it is kept. It does not
// close r.
func (c *Client) Upload(ctx context.Context, r io.Reader) (out wire.Upload, err error) {
	res, err := c.send(ctx, http.MethodPost, "/v1/data", "application/octet-stream", io.NopCloser(r))
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	return out, json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&out)
}

// Apply makes a model file the policy of its model.
func (c *Client) Apply(ctx context.Context, a wire.ApplyRequest) (out wire.ApplyResponse, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/apply", a, &out)
}

// File is the model file as it was applied last.
func (c *Client) File(ctx context.Context, model string) (out wire.ApplyRequest, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, "/file"), nil, &out)
}

// Statuses is how all models stand.
func (c *Client) Statuses(ctx context.Context) (out []wire.Status, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/models", nil, &out)
}

// Status is how a model stands.
func (c *Client) Status(ctx context.Context, model string) (out wire.Status, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, ""), nil, &out)
}

// Change asks for a change by hand: retrain, promote, rollback, hold or resume.
func (c *Client) Change(ctx context.Context, model, what, why string) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/"+what), wire.Change{Why: why}, &out)
}

// Judge has a version that a client registered judged by the gate; the answer names
// the job.
func (c *Client) Judge(ctx context.Context, model string, version int) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, fmt.Sprintf("/versions/%d/gate", version)), nil, &out)
}

// ShowVerdict writes what the gate said of a version to w: format is json, markdown (the
// comment on a change) or html. A version that was not judged is a NotFound fault.
func (c *Client) ShowVerdict(ctx context.Context, model string, version int, format string, w io.Writer) error {
	res, err := c.send(ctx, http.MethodGet, of(model, fmt.Sprintf("/versions/%d/gate?format=%s", version, url.QueryEscape(format))), "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	return fault.Wrap(err, fault.Unavailable, "the verdict broke off")
}

// Foresee says what a release of the version could find out, and changes nothing.
func (c *Client) Foresee(ctx context.Context, model string, version int) (out wire.Foreseen, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, fmt.Sprintf("/versions/%d/promote", version)), nil, &out)
}

// Release begins the release of a version that passed, or moves it on.
func (c *Client) Release(ctx context.Context, model string, version int, why string) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, fmt.Sprintf("/versions/%d/promote", version)), wire.Change{Why: why}, &out)
}

// Versions are a model's versions, newest first.
func (c *Client) Versions(ctx context.Context, model string) (out []registry.Version, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, "/versions"), nil, &out)
}

// AliasHistory is every move of a model's aliases, newest first.
func (c *Client) AliasHistory(ctx context.Context, model string) (out []registry.Move, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, "/aliases"), nil, &out)
}

// Releases are a model's releases, newest first.
func (c *Client) Releases(ctx context.Context, model string) (out []release.State, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, "/releases"), nil, &out)
}

// Standing is drift and performance of a version by its newest rows; version 0 is the
// live one.
func (c *Client) Standing(ctx context.Context, model string, version int) (out monitoring.Standing, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, fmt.Sprintf("/standing?version=%d", version)), nil, &out)
}

// Groups is what a version does for each group of rows, over a window of whole days such as
// 28d (the default); version 0 is the live one.
func (c *Client) Groups(ctx context.Context, model string, version int, window string) (out monitoring.GroupsSeen, err error) {
	q := url.Values{"version": {strconv.Itoa(version)}, "window": {window}}
	return out, c.do(ctx, http.MethodGet, of(model, "/groups?"+q.Encode()), nil, &out)
}

// Findings are what monitoring found; only those that hold now when open.
func (c *Client) Findings(ctx context.Context, model string, open bool) (out []monitoring.Finding, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, fmt.Sprintf("/findings?open=%t", open)), nil, &out)
}

// PredictionsBetween are up to 10,000 predictions with an event time from and before
// to, with their truths.
func (c *Client) PredictionsBetween(ctx context.Context, model string, from, to time.Time) (out []prediction.Joined, err error) {
	q := url.Values{"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)}, "last": {"10000"}}
	return out, c.do(ctx, http.MethodGet, of(model, "/predictions?"+q.Encode()), nil, &out)
}

// Reproduce has a version made again on the server: the answer names the job, whose
// result is a wire.Reproduced. While one is under way, it is that one.
func (c *Client) Reproduce(ctx context.Context, model string, version int) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, fmt.Sprintf("/versions/%d/reproduce", version)), nil, &out)
}

// CancelReproduction ends what makes a version again.
func (c *Client) CancelReproduction(ctx context.Context, model string, version int, why string) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, fmt.Sprintf("/versions/%d/reproduce/cancel", version)), wire.Change{Why: why}, &out)
}

// Reproductions are the times that a version was made again, the newest first. The report
// of each is a wire.Reproduced.
func (c *Client) Reproductions(ctx context.Context, model string, version int) (out []registry.Reproduction, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, fmt.Sprintf("/versions/%d/reproductions", version)), nil, &out)
}

// Await returns a job when it has ended, and tells its progress meanwhile; told may be
// nil. A server that is away for less than a minute is waited for: jobs survive it.
func (c *Client) Await(ctx context.Context, id string, told func(progress string)) (job.Job, error) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	here := time.Now()
	for {
		j, err := c.Job(ctx, id)
		switch {
		case ctx.Err() != nil:
			return j, ctx.Err()
		case err == nil && j.State != job.Queued && j.State != job.Running:
			return j, nil
		case err == nil:
			if here = time.Now(); told != nil {
				told(j.Progress)
			}
		case !Unreachable(err) || time.Since(here) > time.Minute:
			return j, err
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-tick.C:
		}
	}
}

// Job is one piece of background work.
func (c *Client) Job(ctx context.Context, id string) (out job.Job, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/jobs/"+url.PathEscape(id), nil, &out)
}

// Jobs is the background work of a model, newest first.
func (c *Client) Jobs(ctx context.Context, model string) (out []job.Job, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, "/jobs"), nil, &out)
}

// Clock is the server's time.
func (c *Client) Clock(ctx context.Context) (out wire.Clock, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/clock", nil, &out)
}

// Advance moves a manual clock, turns the loop and returns when its jobs are done.
func (c *Client) Advance(ctx context.Context, now time.Time) error {
	return c.do(ctx, http.MethodPost, "/v1/clock", wire.Advance{Now: now}, nil)
}

// SetClock moves a manual clock alone: the loop turns at the next Advance.
func (c *Client) SetClock(ctx context.Context, now time.Time) error {
	return c.do(ctx, http.MethodPost, "/v1/clock", wire.Advance{Now: now, Hold: true}, nil)
}

// Health says what the server is.
func (c *Client) Health(ctx context.Context) (out wire.Health, err error) {
	return out, c.do(ctx, http.MethodGet, "/readyz", nil, &out)
}

// Events are up to 1,000 events after the given one, oldest first.
func (c *Client) Events(ctx context.Context, after int64, model string) (out []event.Event, err error) {
	q := url.Values{"after": {fmt.Sprint(after)}, "model": {model}}
	return out, c.do(ctx, http.MethodGet, "/v1/events?"+q.Encode(), nil, &out)
}

// LastEvents are the newest n events, oldest first.
func (c *Client) LastEvents(ctx context.Context, model string, n int) (out []event.Event, err error) {
	q := url.Values{"last": {fmt.Sprint(n)}, "model": {model}}
	return out, c.do(ctx, http.MethodGet, "/v1/events?"+q.Encode(), nil, &out)
}

// Watch calls visit for each event after the given one, until ctx is done, the
// server goes or visit fails.
func (c *Client) Watch(ctx context.Context, after int64, model string, visit func(event.Event) error) error {
	q := url.Values{"after": {fmt.Sprint(after)}, "model": {model}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+c.then("/v1/events?"+q.Encode()), nil)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%q is not the address of a server", c.base)
	}
	req.Header.Set("Accept", "text/event-stream")
	switch {
	case c.user != "":
		req.SetBasicAuth(c.user, c.password)
	case c.token != "":
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return unreachable(c.base, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return problem(res)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	happening := false
	for lines.Scan() {
		line := lines.Text()
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			happening = kind == "happening"
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || !happening {
			continue
		}
		var e event.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the stream of events cannot be read")
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.Wrap(lines.Err(), fault.Unavailable, "the stream of events broke off")
}
