// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Write is the files of an evaluation, which Read reads back: the manifest and the
// compressed predictions. A binary label is written as 1 or 0. Equal evaluations give equal bytes.
func (e *Evaluation) Write() (manifest, predictions []byte, err error) {
	m := e.Manifest
	m.Format, m.Positive = format, ""
	if manifest, err = json.Marshal(m); err != nil {
		return nil, nil, fmt.Errorf("encode an evaluation: %w", err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := csv.NewWriter(z)
	head := []string{"key", "label", "prediction"}
	if e.Weight != nil {
		head = append(head, "weight")
	}
	if e.Block != nil {
		head = append(head, "block")
	}
	for _, c := range e.Slices {
		name := c.Name
		if slices.Contains([]string{"key", "label", "prediction", "weight", "block"}, name) {
			name = "slice " + name
		}
		head = append(head, name)
	}
	if err := w.Write(head); err != nil {
		return nil, nil, fmt.Errorf("write predictions: %w", err)
	}
	row := make([]string, len(head))
	for i, key := range e.Keys {
		row = append(row[:0], key, number(e.Truth[i]), number(e.Score[i]))
		if e.Weight != nil {
			row = append(row, number(e.Weight[i]))
		}
		if e.Block != nil {
			row = append(row, strconv.FormatUint(e.Block[i], 10))
		}
		for _, c := range e.Slices {
			row = append(row, c.Values[i])
		}
		if err := w.Write(row); err != nil {
			return nil, nil, fmt.Errorf("write predictions: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, nil, fmt.Errorf("write predictions: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, nil, fmt.Errorf("compress predictions: %w", err)
	}
	return manifest, b.Bytes(), nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
