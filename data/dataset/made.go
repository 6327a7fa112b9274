// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"time"

	"flyball/blob"
)

// Made says for which model a snapshot was made, and when first.
type Made struct {
	Model string      `json:"model"`
	ID    blob.Digest `json:"id"`
	At    time.Time   `json:"at"`
	Rows  int         `json:"rows"`
	Bytes int64       `json:"bytes"` // of its files, those too that other snapshots share
	Cause string      `json:"cause"` // of the training: schedule, drift, score, hand, first
}
