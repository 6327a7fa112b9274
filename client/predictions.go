// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"flyball/fault"
	"flyball/serving/prediction"
)

// Predictions are those that q selects, with their truths: at most 10,000, and 100 when
// q.Last is 0. q.DueBy and q.AsOf are not asked for.
func (c *Client) Predictions(ctx context.Context, q prediction.Query) (out []prediction.Joined, err error) {
	v := picked(q)
	if q.Last > 0 {
		v.Set("last", fmt.Sprint(q.Last))
	}
	return out, c.do(ctx, http.MethodGet, of(q.Model, "/predictions?"+v.Encode()), nil, &out)
}

// ExportPredictions gives all that q selects, in order of event time. An answer that
// broke off is an Unavailable fault. q.Last, q.DueBy and q.AsOf are not asked for.
func (c *Client) ExportPredictions(ctx context.Context, q prediction.Query, give func(prediction.Joined) error) error {
	res, err := c.send(ctx, http.MethodGet, of(q.Model, "/predictions/export?"+picked(q).Encode()), "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := json.NewDecoder(bufio.NewReaderSize(res.Body, 1<<16))
	for {
		var j prediction.Joined
		if err := lines.Decode(&j); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fault.New(fault.Unavailable, "the server's answer broke off").Do("look into the server's log, and try again")
			}
			return fault.Wrap(err, fault.Unavailable, "the server's answer cannot be read")
		}
		if j.ID == "" {
			return nil
		}
		if err := give(j); err != nil {
			return err
		}
	}
}

func picked(q prediction.Query) url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	at := func(key string, t time.Time) {
		if !t.IsZero() {
			v.Set(key, t.UTC().Format(time.RFC3339Nano))
		}
	}
	at("from", q.From)
	at("to", q.To)
	at("since", q.Since)
	set("key", q.Key)
	set("id", string(q.ID))
	set("arm", q.Arm)
	set("decision", q.Decision)
	set("flag", q.Flag)
	set("truth", q.Truth)
	if q.Version != 0 {
		v.Set("version", fmt.Sprint(q.Version))
	}
	return v
}
