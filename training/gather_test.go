// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"flyball/serving/prediction"
)

// answers is a log of these, in this order.
type answers []prediction.Joined

func (answers) Append(context.Context, bool, bool, ...prediction.Record) error { return nil }

func (answers) AppendLabels(context.Context, ...prediction.Label) (int, error) { return 0, nil }

func (l answers) Scan(_ context.Context, _ prediction.Query, visit func(prediction.Joined) error) error {
	for _, j := range l {
		if err := visit(j); err != nil {
			return err
		}
	}
	return nil
}

// TestRowsOfOneMomentComeInTheOrderOfTheirKeys gathers a log of many answers at one
// moment twice, read in different orders, as the random part of their ids gives them.
func TestRowsOfOneMomentComeInTheOrderOfTheirKeys(t *testing.T) {
	at := start.Add(300 * time.Hour)
	var log answers
	for i := range 20 {
		row := fmt.Sprintf(`{"id":"k%02d","at":%q,"x":%d}`, i, at.Format(time.RFC3339), i)
		log = append(log, prediction.Joined{
			Record: prediction.Record{Key: fmt.Sprintf("k%02d", i), Time: at, Due: at.Add(10 * time.Hour), Row: json.RawMessage(row)},
			Label:  &prediction.Label{Value: fmt.Sprint(i)},
		})
	}
	tr, files := trainer(t, table(t, 100))
	r := Request{Recipe: recipe(), Files: files, Now: at.Add(24 * time.Hour)}
	tr.Log = log
	first, _, err := tr.gather(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(log)
	second, _, err := tr.gather(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != second.ID {
		t.Errorf("the same answers gave the snapshots %s and %s", first.ID, second.ID)
	}
	rows, err := second.Rows(t.Context(), tr.Blobs)
	if err != nil {
		t.Fatal(err)
	}
	if got := rows.Column("id").Format(100); got != "k00" || rows.Rows() != 120 {
		t.Errorf("the first served of %d rows is %s, want k00 of 120", rows.Rows(), got)
	}
}
