// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"flyball/api/wire"
	"flyball/control"
	"flyball/fault"
	"flyball/governance/audit"
)

// Audit is a part of the audit chain.
func (c *Client) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	return c.FindAudit(ctx, audit.Query{After: after}, limit)
}

// FindAudit are the first records that q selects, at most limit and 1000.
func (c *Client) FindAudit(ctx context.Context, q audit.Query, limit int) (out []audit.Record, err error) {
	v := url.Values{"after": {fmt.Sprint(q.After)}, "limit": {fmt.Sprint(limit)}}
	if q.Actor != "" {
		v.Set("actor", q.Actor)
	}
	if q.Action != "" {
		v.Set("action", q.Action)
	}
	if q.Before != 0 {
		v.Set("before", fmt.Sprint(q.Before))
	}
	if q.Newest {
		v.Set("newest", "true")
	}
	if q.Object != "" {
		v.Set("object", q.Object)
	}
	setTime(v, "since", q.Since)
	return out, c.do(ctx, http.MethodGet, "/v1/audit?"+v.Encode(), nil, &out)
}

func setTime(v url.Values, key string, t time.Time) {
	if !t.IsZero() {
		v.Set(key, t.UTC().Format(time.RFC3339Nano))
	}
}

// VerifyAudit recomputes the audit chain on the server, without what it tells of.
func (c *Client) VerifyAudit(ctx context.Context) (out wire.AuditVerified, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/audit/verify", nil, &out)
}

// AuditAnchor is where the chain ends now.
func (c *Client) AuditAnchor(ctx context.Context) (out audit.Anchor, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/audit/anchor", nil, &out)
}

// VerifyAll has the server verify the chain and what it tells of, and calls tell at each
// step. A record that is wrong is a Refused fault; wrong files and anchors are named in
// the result.
func (c *Client) VerifyAll(ctx context.Context, in wire.AuditVerify, tell func(audit.Step)) (audit.Verified, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return audit.Verified{}, fmt.Errorf("encode the request: %w", err)
	}
	res, err := c.send(ctx, http.MethodPost, "/v1/audit/verify", "application/json", bytes.NewReader(raw))
	if err != nil {
		return audit.Verified{}, err
	}
	defer res.Body.Close()
	lines := json.NewDecoder(res.Body)
	for {
		var l wire.AuditVerifying
		switch err := lines.Decode(&l); {
		case ctx.Err() != nil:
			return audit.Verified{}, ctx.Err()
		case err != nil:
			return audit.Verified{}, fault.Wrap(err, fault.Unavailable, "the verification was cut off")
		case l.Problem != nil:
			return audit.Verified{}, fault.New(kinds[l.Problem.Status], "%s", l.Problem.Detail)
		case l.Result != nil:
			return *l.Result, nil
		case l.Step != nil && tell != nil:
			tell(*l.Step)
		}
	}
}

// ExportAudit gives the records from the first at or after from (zero: of all) to the
// last before to (zero: of all), each as a line without its end, and as a record. The
// line is the caller's only until give returns. An answer that broke off is an
// Unavailable fault.
func (c *Client) ExportAudit(ctx context.Context, from, to time.Time, give func(line []byte, r audit.Record) error) error {
	v := url.Values{}
	setTime(v, "from", from)
	setTime(v, "to", to)
	res, err := c.send(ctx, http.MethodGet, "/v1/audit/export?"+v.Encode(), "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	in := bufio.NewReaderSize(res.Body, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			f := fault.New(fault.Unavailable, "the server's answer broke off").Do("look into the server's log, and try again")
			if err != io.EOF { //nolint:errorlint // ReadBytes gives it as it is
				f.Cause = err
			}
			return f
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if string(line) == "{}" {
			return nil
		}
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the server's answer cannot be read")
		}
		if err := give(line, r); err != nil {
			return err
		}
	}
}

// Forget erases what is kept of a caller's key, and says what it could not reach.
func (c *Client) Forget(ctx context.Context, in wire.Forget) (out control.Forgot, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/forget", in, &out)
}
