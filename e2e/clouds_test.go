// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"flyball/api/wire"
	"flyball/blob/blobtest"
	"flyball/serving/prediction"
)

// TestAServerOnABucketOutlivesItsFolder keeps blobs and predictions in a bucket of each
// provider, and loses what lies on the machine of the latter. With the tags gcs and azure
// the binary has all three.
func TestAServerOnABucketOutlivesItsFolder(t *testing.T) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	blobtest.Clouds(t, "../.cache", func(t *testing.T, url string) {
		dir := t.TempDir()
		s := start(t, dir, "--bucket", url+"/team")
		live(t, s, modelFile(t, append(byHand, [2]string{"log: {durable: false, when_full: drop}", "log: {durable: true, when_full: wait}"})...), past)
		var first wire.Prediction
		for _, h := range coming[:20] {
			got, err := s.Predict(t.Context(), bike, []json.RawMessage{h.row(nil)})
			if err != nil {
				t.Fatal(err)
			}
			if first.ID == "" {
				first = got.Predictions[0]
			}
		}
		if _, err := s.Label(t.Context(), bike, []wire.Label{coming[0].label()}); err != nil {
			t.Fatal(err)
		}
		s.stop()
		if err := os.RemoveAll(filepath.Join(dir, "predictions")); err != nil {
			t.Fatal(err)
		}
		s = start(t, dir, "--bucket", url+"/team")
		comes(t, "all predictions are there again", func() bool {
			rows, err := s.Predictions(t.Context(), prediction.Query{Model: bike, Last: 100})
			truths := 0
			for _, p := range rows {
				if p.Label != nil {
					truths++
				}
			}
			return err == nil && len(rows) == 20 && truths == 1
		})
		got, err := s.Predict(t.Context(), bike, []json.RawMessage{coming[0].row(nil)})
		if err != nil || *got.Predictions[0].Value != *first.Value {
			t.Errorf("got %+v, %v; want the value of %+v", got, err, first)
		}
	})
}
