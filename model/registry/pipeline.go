// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"flyball/event"
	"flyball/governance/audit"
)

// Pipeline is one version of a pipeline file that models may share: a text that was
// applied. A version never changes; the next text of the name is the next version.
type Pipeline struct {
	Name      string    `json:"name"`
	Version   int       `json:"version"` // 1, 2, 3 …
	Digest    string    `json:"digest"`  // hex SHA-256 of File
	File      string    `json:"file"`    // the YAML
	AppliedAt time.Time `json:"applied_at"`
	AppliedBy string    `json:"applied_by"`
}

// PipelineDigest is the digest of a pipeline file's text.
func PipelineDigest(file string) string {
	sum := sha256.Sum256([]byte(file))
	return hex.EncodeToString(sum[:])
}

// Applied is a model to apply, with what is told of it.
type Applied struct {
	Model  Model
	Record audit.Record
	Event  event.Event
}
