// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"time"

	"flyball/data/dataset"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/prediction"
)

// Forgetter erases what is kept of a caller's key.
type Forgetter struct {
	Log interface {
		Forget(ctx context.Context, model, key, who, why string) (prediction.Forgotten, error)
	}
	Store interface {
		Snapshots(ctx context.Context, model string) ([]dataset.Made, error)
		ForgetMessages(ctx context.Context, key string) (int, error)
		AddAudit(ctx context.Context, rec audit.Record, evs ...event.Event) (audit.Record, error)
	}
	Now func() time.Time
}

// Forgot is what was erased, and what could not be.
type Forgot struct {
	prediction.Forgotten
	// Snapshots were made since the first of the predictions was answered: a training may
	// have read their rows. They are immutable, and stay until no version needs them.
	Snapshots []dataset.Made `json:"snapshots,omitempty"`
	Messages  int            `json:"messages"` // of the outbox, that were for the key as an address, or named it
}

// Forget erases the predictions, with reasons, groups and labels, of a key; of all models
// where model is empty, and then the messages that were for it or named it, too. The record of it does not name the key. After an error it is asked
// again, and goes on.
func (f *Forgetter) Forget(ctx context.Context, model, key, by, why string) (Forgot, error) {
	var out Forgot
	if why == "" {
		return out, fault.New(fault.Invalid, "there is no reason").Do("say why, such as the number of the request, without the key itself")
	}
	var err error
	if out.Forgotten, err = f.Log.Forget(ctx, model, key, by, why); err != nil {
		return out, err
	}
	for of, since := range out.Since {
		made, err := f.Store.Snapshots(ctx, of)
		if err != nil {
			return out, err
		}
		for _, m := range made {
			if !m.At.Before(since) {
				out.Snapshots = append(out.Snapshots, m)
			}
		}
	}
	if model == "" { // what is sent is of no model
		if out.Messages, err = f.Store.ForgetMessages(ctx, key); err != nil {
			return out, err
		}
	}
	data, err := json.Marshal(struct {
		Rows      int `json:"rows"`
		Labels    int `json:"labels"`
		Files     int `json:"files"`
		Snapshots int `json:"snapshots"`
		Messages  int `json:"messages"`
	}{out.Rows, out.Labels, out.Files, len(out.Snapshots), out.Messages})
	if err != nil {
		return out, err
	}
	if model == "" {
		model = "all models"
	}
	_, err = f.Store.AddAudit(ctx, audit.Record{At: f.Now(), Actor: by, Action: audit.Forgotten, Object: model, Why: why, Data: data})
	return out, err
}
