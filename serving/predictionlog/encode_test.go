// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"flyball/serving/prediction"
)

func FuzzAChunkIsReadOrRefused(f *testing.F) {
	r := full()
	body := appendRecord(appendRecord([]byte{bodyVersion}, &r), &prediction.Record{})
	f.Add(body)
	f.Add(body[:len(body)-1])
	f.Add([]byte{bodyVersion})
	f.Add([]byte{2, 0})
	f.Add([]byte{bodyVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
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

func TestASealedFileWithAnyByteChangedIsReadOrRefused(t *testing.T) {
	var b bytes.Buffer
	if err := writeSealed(&b, []prediction.Record{record(1, 0), full()}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	refused := 0
	for i := 0; i < b.Len(); i += 13 {
		spoiled := bytes.Clone(b.Bytes())
		spoiled[i] ^= 0x11
		if err := os.WriteFile(path, spoiled, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := readSealed(path, "m", func(place) bool { return true }, 0); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}
