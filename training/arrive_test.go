// SPDX-License-Identifier: Apache-2.0

package training

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"flyball/blob"
	"flyball/fault"
)

func TestAVersionArrivesWithItsBaselineAndWithItsDataOrWithout(t *testing.T) {
	for _, data := range []bool{true, false} {
		v, raw, _ := archived(t, data)
		blobs := blob.Memory()
		got, err := Arrive(t.Context(), bytes.NewReader(raw), blobs, fresh(blobs).Decoders)
		if err != nil || got.Version.Ref != v.Ref || got.Version.Bundle != v.Bundle || got.Floor == "" || (len(got.Missing) == 0) != data {
			t.Errorf("with data %v: %+v, %v", data, got, err)
		}
	}
}

// What a server would serve must be what the archive says, whoever wrote it.
func TestAnArchiveWhoseVersionIsNotWhatItSaysDoesNotArrive(t *testing.T) {
	_, raw, _ := archived(t, true)
	head := func(change func(e *exported)) func(h *tar.Header, body []byte) ([]byte, bool) {
		return func(h *tar.Header, body []byte) ([]byte, bool) {
			if h.Name != tarHead {
				return body, true
			}
			var e exported
			if err := json.Unmarshal(body, &e); err != nil {
				t.Fatal(err)
			}
			change(&e)
			out, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			return out, true
		}
	}
	for _, c := range []struct {
		name   string
		change func(e *exported)
		says   string
	}{
		{"of another model", func(e *exported) { e.Version.Model = "other" }, `is of the model "m", not of other`},
		{"of no model", func(e *exported) { e.Version.Model = "../m" }, "cannot name a model"},
		{"with no number", func(e *exported) { e.Version.Version = 0 }, "number 0"},
		{"with a number from which nobody can count on", func(e *exported) { e.Version.Version = 1 << 40 }, "number 1099511627776"},
		{"without a record", func(e *exported) { e.Version.Record = "" }, "names no bundle, snapshot and record"},
		{"with another bundle", func(e *exported) { e.Version.Bundle = e.Version.Snapshot }, "is not about the bundle of m@1"},
		{"judged by another bundle", func(e *exported) { e.Version.Judged = e.Version.Snapshot }, "is not about the bundle of m@1"},
		{"with a record that is none", func(e *exported) { e.Version.Record = e.Version.Snapshot }, "is not about the bundle of m@1"},
	} {
		blobs := blob.Memory()
		_, err := Arrive(t.Context(), bytes.NewReader(repacked(t, raw, head(c.change))), blobs, fresh(blobs).Decoders)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
