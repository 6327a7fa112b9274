// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/ident"
	"flyball/monitoring"
	"flyball/serving/prediction"
)

// Online and in a batch the same code makes the features, so nothing that a user may do makes
// them differ. The records that the server logs are logged once more, as a server would log
// them whose online path is wrong.
func TestARowThatWasScoredByOtherFeaturesThanTheBatchMakesIsAFinding(t *testing.T) {
	s := begin(t, table(t, 1010))
	asked := s.at
	for n := 0; n < 2000; n += 500 { // one row in 128 is sampled, which its id draws
		var rows []json.RawMessage
		for i := n; i < n+500; i++ {
			at := asked.Add(-time.Duration(i) * time.Second).Format(time.RFC3339)
			rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":"new %d","at":%q,"x":%g,"z":0.5}`, i, at, float64(i%7)/4)))
		}
		if _, err := s.Predict(t.Context(), "demand", rows); err != nil {
			t.Fatal(err)
		}
	}
	skewed := func() (out []monitoring.Finding) {
		t.Helper()
		all, err := s.Findings(t.Context(), "demand", true)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.Kind == monitoring.Skew {
				out = append(out, f)
			}
		}
		return out
	}
	var wrong []prediction.Record
	err := s.log.Scan(t.Context(), prediction.Query{Model: "demand", AsOf: asked}, func(j prediction.Joined) error {
		if r := j.Record; len(r.Vector) > 0 {
			r.ID, r.Vector = ident.NewPredictionID(asked), append([]byte{r.Vector[0] ^ 1}, r.Vector[1:]...)
			r.Time, r.At = r.Time.Add(24*time.Hour), r.At.Add(24*time.Hour)
			wrong = append(wrong, r)
		}
		return nil
	})
	if err != nil || len(wrong) == 0 {
		t.Fatalf("%d rows are sampled, %v", len(wrong), err)
	}
	s.pass(t, 24)
	if got := skewed(); len(got) != 0 {
		t.Errorf("what was served as it must be: %+v", got)
	}
	if err := s.log.Append(t.Context(), true, true, wrong...); err != nil {
		t.Fatal(err)
	}
	s.pass(t, 48)
	got := skewed()
	if len(got) != 1 || got[0].Subject != "x" || got[0].Duty != "monitor" ||
		!strings.HasPrefix(got[0].Text, fmt.Sprintf("x is another in %d of %d row", len(wrong), len(wrong))) {
		t.Errorf("what was served wrong: %+v", got)
	}
}
