// SPDX-License-Identifier: Apache-2.0

package training

import "flyball/blob"

// Recording is what a record.json says of how a version was made.
type Recording struct {
	Request  Request
	Lock     blob.Digest // of the environment of a command in Python; empty: another, or none was needed
	Builder  string      // the Flyball that made it, and the Go that built that
	Pipeline blob.Digest // of pipeline.json in the version's bundle; empty: it has none
}

// ReadRecording reads a record.json. The error is an Invalid fault.
func ReadRecording(raw []byte) (Recording, error) {
	r, err := readRecord(raw)
	if err != nil {
		return Recording{}, err
	}
	out := Recording{Request: r.Request, Builder: "flyball " + r.Builder.Version["flyball"] + ", " + r.Builder.Version["go"], Pipeline: r.In.Pipelines.Final}
	if r.In.Environment != nil {
		out.Lock = r.In.Environment.Lock
	}
	return out, nil
}
