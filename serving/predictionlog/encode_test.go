// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"flyball/internal/fuzzcheck"
	"flyball/serving/prediction"
)

func FuzzAChunkIsReadOrRefused(f *testing.F) {
	r := full()
	body := appendRecord(appendRecord([]byte{bodyVersion}, &r), &prediction.Record{})
	f.Add(body)
	f.Add(body[:len(body)-1])
	f.Add([]byte{bodyVersion})
	f.Add([]byte{3, 0})
	f.Add(append([]byte{1}, body[1:]...))
	f.Add([]byte{bodyVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzcheck.Within(t, len(body), 1<<16, func() { _, _ = decodeBody("m", body) })
		rs, err := decodeBody("m", body)
		if err != nil {
			return
		}
		again := []byte{bodyVersion}
		for i := range rs {
			again = appendRecord(again, &rs[i])
		}
		twice, err := decodeBody("m", again)
		if err != nil || len(twice) != len(rs) {
			t.Fatalf("%d records, written again %d (%v)", len(rs), len(twice), err)
		}
		for i := range rs {
			if !bytes.Equal(appendRecord(nil, &rs[i]), appendRecord(nil, &twice[i])) {
				t.Errorf("record %d changed: %+v, %+v", i, rs[i], twice[i])
			}
		}
	})
}

func FuzzAScoreInJSONIsReadOrRefused(f *testing.F) {
	for _, s := range []string{"0.30000000000000004", "null", `"+Inf"`, `"-Inf"`, `"NaN"`, `""`, "true", "1e999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n, again number
		if json.Unmarshal([]byte(text), &n) != nil {
			return
		}
		b, err := json.Marshal(n)
		if err != nil {
			t.Fatalf("%q was read as %v, which is not written: %v", text, float64(n), err)
		}
		if err := json.Unmarshal(b, &again); err != nil || math.Float64bits(float64(n)) != math.Float64bits(float64(again)) && !math.IsNaN(float64(n)) {
			t.Errorf("%q was read as %v, then as %v (%v)", text, float64(n), float64(again), err)
		}
	})
}
