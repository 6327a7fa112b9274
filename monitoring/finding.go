// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"time"
)

// The kinds of finding. Each goes to one duty: quality to feed, reproduction to fix,
// retraining to retrain, the others to monitor.
const (
	Quality = "quality" // missing, unseen, out of range, volume: never a reason to retrain
	Drift   = "drift"   // the inputs or the predictions are not distributed as at training
	Score   = "score"   // bias or performance on due rows
	Groups  = "groups"  // groups of rows are not decided alike: never a reason to retrain
	Skew    = "skew"    // the features of a row, made again, are not those that it was scored by

	// Reproduction is a version that came out less equal than expected when it was made
	// again. It is about that version, live or not, and over when it comes out so again.
	Reproduction = "reproduction"

	// Retraining is a model whose candidates the gate keeps out for the same reason, again
	// and again: a person is needed. It is over when one passes, or somebody changed something.
	Retraining = "retraining"
)

// Lasts reports whether findings of the kind stay open when another version goes live.
func Lasts(kind string) bool { return kind == Reproduction || kind == Retraining }

// Finding is a state with a beginning and an end, told once: something is not as it
// was when the model was trained.
type Finding struct {
	ID       string          `json:"id"` // model/version/kind/subject/opened
	Model    string          `json:"model"`
	Version  int             `json:"version"`
	Kind     string          `json:"kind"`
	Subject  string          `json:"subject"`  // the column or the metric; of a reproduction the version
	Severity string          `json:"severity"` // note, warn or page
	Trigger  bool            `json:"trigger"`  // may cause a retraining
	Duty     string          `json:"duty"`     // whose it is: feed, monitor or fix
	Opened   time.Time       `json:"opened"`
	Closed   time.Time       `json:"closed,omitzero"` // zero: open
	Text     string          `json:"text"`            // one sentence with its figures
	Data     json.RawMessage `json:"data,omitempty"`
	Advice   *Advice         `json:"advice,omitempty"` // what it means; made when it is shown, and never kept
}
