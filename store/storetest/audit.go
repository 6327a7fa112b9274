// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"strings"
	"testing"

	"flyball/fault"
	"flyball/governance/audit"
)

func auditAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	if n := must(db.VerifyAudit(ctx))(t); n != 0 {
		t.Errorf("an empty chain: got %d", n)
	}
	atOnce(8, func(i int) {
		for range 5 {
			rec, err := db.AddAudit(ctx, record("login", strings.Repeat("x", i)))
			if err != nil || rec.Hash == "" || rec.Seq == 0 {
				t.Errorf("got %+v, %v", rec, err)
			}
			if _, err := db.VerifyAudit(ctx); err != nil { // also while others write
				t.Error(err)
			}
		}
	})
	if n := must(db.VerifyAudit(ctx))(t); n != 40 {
		t.Errorf("got %d records, want 40", n)
	}
	got := must(db.Audit(ctx, 38, 10))(t)
	if len(got) != 2 || got[0].Seq != 39 || got[1].Prev != got[0].Hash || !got[0].At.Equal(noon) || string(got[0].Data) != `{"a":1}` {
		t.Errorf("got %+v", got)
	}
}

func auditTouched(t *testing.T, open Open) {
	for _, c := range []struct {
		name, statement, want string
	}{
		{"a reason that was changed", `UPDATE audit SET why = 'forged' WHERE seq = 2`, "audit record 2 (apply m2 by ana) was changed"},
		{"data that were changed", `UPDATE audit SET data = '{"a":2}' WHERE seq = 3`, "audit record 3 (apply m3 by ana) was changed"},
		{"a time that was changed", `UPDATE audit SET at = at + 1 WHERE seq = 1`, "audit record 1 (apply m1 by ana) was changed"},
		{"a record that was removed", `DELETE FROM audit WHERE seq = 2`, "audit record 2 is missing"},
		{"the last record cut off", `DELETE FROM audit WHERE seq = 4`, "audit record 4 is missing: the chain had 4"},
		{"all records removed", `DELETE FROM audit`, "audit record 1 is missing: the chain had 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, raw := open(t)
			for _, object := range []string{"m1", "m2", "m3", "m4"} {
				must(db.AddAudit(t.Context(), audit.Record{At: noon, Actor: "ana", Action: "apply", Object: object}))(t)
			}
			if _, err := raw.Exec(c.statement); err != nil {
				t.Fatal(err)
			}
			_, err := db.VerifyAudit(t.Context())
			if !fault.Is(err, fault.Refused) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
