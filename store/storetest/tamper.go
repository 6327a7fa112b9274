// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"flyball/fault"
	"flyball/governance/audit"
)

// auditEdited does a hundred things to the table of records behind the store's back. Each
// must be found, and nothing once it is undone.
func auditEdited(t *testing.T, open Open) {
	db, raw := open(t)
	for i := range 40 {
		must(db.AddAudit(t.Context(), audit.Record{
			At: noon.AddDate(0, 0, i/3), Actor: []string{"ana", "bo"}[i%2], Action: "apply", Object: fmt.Sprint("m", i%5), Why: fmt.Sprint("reason ", i),
			Data: json.RawMessage(fmt.Sprintf(`{"n":%d,"x":[1.50,"é"]}`, i)),
		}))(t)
	}
	if n := must(db.VerifyAudit(t.Context()))(t); n != 40 {
		t.Fatalf("got %d records, want 40", n)
	}
	check(t, execAll(raw, `CREATE TABLE audit_kept AS SELECT * FROM audit`, `CREATE TABLE heads_kept AS SELECT * FROM heads`))
	rng := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 100 {
		edit := auditEdit(rng)
		check(t, execAll(raw, edit...))
		_, err := db.VerifyAudit(t.Context())
		if fault.Is(err, fault.Refused) {
			found++
		} else {
			t.Errorf("%v is not found: %v", edit, err)
		}
		check(t, execAll(raw, `DELETE FROM audit`, `INSERT INTO audit SELECT * FROM audit_kept`,
			`DELETE FROM heads`, `INSERT INTO heads SELECT * FROM heads_kept`))
	}
	if n := must(db.VerifyAudit(t.Context()))(t); n != 40 || found != 100 {
		t.Errorf("%d of 100 edits are found; undone, %d records hold", found, n)
	}
}

func execAll(raw *sql.DB, statements ...string) error {
	for _, s := range statements {
		if _, err := raw.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// auditEdit is one edit, in statements that both engines know.
func auditEdit(rng *rand.Rand) []string {
	seq, other := 1+rng.IntN(40), 1+rng.IntN(40)
	for other == seq {
		other = 1 + rng.IntN(40)
	}
	one := func(set string, args ...any) []string {
		return []string{fmt.Sprintf(`UPDATE audit SET `+set+` WHERE seq = %d`, append(args, seq)...)}
	}
	column := []string{"actor", "action", "object", "why", "data", "prev", "hash"}[rng.IntN(7)]
	switch rng.IntN(12) {
	case 0:
		return one(`at = at + %d`, 1+rng.IntN(1e9))
	case 1:
		return one(`%s = %s || 'x'`, column, column)
	case 2:
		return one(`%s = 'forged'`, column)
	case 3:
		return one(`%s = ' ' || %s`, column, column)
	case 4:
		return one(`data = replace(data, ',', ', ')`) // the same JSON
	case 5:
		return one(`data = ''`)
	case 6:
		return one(`hash = upper(hash), why = why || ' '`)
	case 7:
		return one(`seq = %d`, 41+rng.IntN(100))
	case 8:
		return []string{fmt.Sprintf(`DELETE FROM audit WHERE seq = %d`, seq)}
	case 9: // cut off the end, and the memory of it
		return []string{
			fmt.Sprintf(`DELETE FROM audit WHERE seq >= %d`, seq),
			`UPDATE heads SET seq = (SELECT coalesce(max(seq), 0) FROM audit) WHERE name = 'audit'`,
		}
	case 10: // two records in each other's place
		return []string{
			fmt.Sprintf(`UPDATE audit SET seq = -1 WHERE seq = %d`, seq), fmt.Sprintf(`UPDATE audit SET seq = %d WHERE seq = %d`, seq, other),
			fmt.Sprintf(`UPDATE audit SET seq = %d WHERE seq = -1`, other),
		}
	default: // a record more
		return []string{fmt.Sprintf(`INSERT INTO audit SELECT %d, at, actor, action, object, why, data, prev, hash FROM audit_kept WHERE seq = %d`,
			[]int{41, 0, -7}[rng.IntN(3)], seq)}
	}
}

// auditCutOff cuts records off the end, so well that the database does not know it: an
// anchor does.
func auditCutOff(t *testing.T, open Open) {
	db, raw := open(t)
	for i := range 9 {
		must(db.AddAudit(t.Context(), record("apply", fmt.Sprint("m", i))))(t)
	}
	end := must(db.AuditEnd(t.Context()))(t)
	anchor := audit.Anchor{At: noon, End: end}
	early := audit.Anchor{At: noon, End: audit.End{Seq: 4, Hash: must(db.Audit(t.Context(), 3, 1))(t)[0].Hash}}
	auditor := &audit.Auditor{Store: db}
	v := must(auditor.Verify(t.Context(), []audit.Anchor{early, anchor}, false, func(audit.Step) {}))(t)
	if v.Anchors != 2 || v.Wrong != nil {
		t.Errorf("got %+v", v)
	}
	check(t, execAll(raw, `DELETE FROM audit WHERE seq > 6`,
		`UPDATE heads SET seq = 6, hash = (SELECT hash FROM audit WHERE seq = 6) WHERE name = 'audit'`))
	v = must(auditor.Verify(t.Context(), []audit.Anchor{early, anchor}, false, func(audit.Step) {}))(t)
	equal(t, "wrong", v.Wrong, []string{"the anchor of 2016-05-03 has 9 records, the chain has 6: records 7 to 9 were cut off"})
	early.Hash = anchor.Hash
	v = must(auditor.Verify(t.Context(), []audit.Anchor{early}, false, func(audit.Step) {}))(t)
	equal(t, "wrong", v.Wrong, []string{"the anchor of 2016-05-03 does not hold: record 4, or one before it, is another"})
}

func auditFound(t *testing.T, open Open) {
	db, _ := open(t)
	for i, object := range []string{"m", "m@1", "m@2", "mm", "n", "m-1"} {
		r := record("apply", object)
		r.At, r.Actor = noon.AddDate(0, 0, i), []string{"ana", "bo"}[i%2]
		must(db.AddAudit(t.Context(), r))(t)
	}
	for _, c := range []struct {
		name string
		q    audit.Query
		want []int64
	}{
		{"all", audit.Query{}, []int64{1, 2, 3, 4, 5, 6}},
		{"a model with its versions", audit.Query{Object: "m"}, []int64{1, 2, 3}},
		{"a version", audit.Query{Object: "m@1"}, []int64{2}},
		{"what was done", audit.Query{Action: "hold"}, nil},
		{"the newest first, a page of them", audit.Query{Newest: true, Before: 5, After: 2}, []int64{4, 3}},
		{"whoever did it", audit.Query{Actor: "bo"}, []int64{2, 4, 6}},
		{"since", audit.Query{Since: noon.AddDate(0, 0, 3)}, []int64{4, 5, 6}},
		{"all of them", audit.Query{Since: noon.AddDate(0, 0, 1), Actor: "bo", Object: "m", After: 1}, []int64{2}},
	} {
		var got []int64
		for _, r := range must(db.FindAudit(t.Context(), c.q, 100))(t) {
			got = append(got, r.Seq)
		}
		equal(t, c.name, got, c.want)
	}
	first, last, err := db.AuditSpan(t.Context(), noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 4))
	if first != 2 || last != 4 || err != nil {
		t.Errorf("got %d to %d, %v", first, last, err)
	}
}

// sealedFiles tells of files as a prediction log does.
func sealedFiles(t *testing.T, open Open) {
	db, _ := open(t)
	file := audit.File{Path: "model=m/date=2016-05-03/a.parquet", Date: "2016-05-03", Rows: 3, Bytes: 10, SHA256: "aa"}
	gone := file
	gone.SHA256 = ""
	forgot := file
	forgot.SHA256, forgot.Was = "bb", "aa"
	tell := func(action string, f audit.File) error {
		return db.TellFile(t.Context(), audit.News{At: noon, Action: action, Model: "m", File: f})
	}
	check(t, tell(audit.Sealed, file))
	check(t, tell(audit.Sealed, file)) // once
	other := file
	other.SHA256 = "cc"
	wants(t, tell(audit.Sealed, other), fault.Conflict)
	check(t, tell(audit.Forgotten, forgot))
	check(t, tell(audit.Forgotten, forgot))
	wants(t, tell(audit.Sealed, file), fault.Conflict)
	check(t, tell(audit.Trimmed, gone))
	check(t, tell(audit.Trimmed, gone))
	var got []string
	for _, r := range must(db.Audit(t.Context(), 0, 100))(t) {
		got = append(got, r.Action+" "+string(r.Data))
	}
	equal(t, "records", got, []string{
		`seal {"bytes":10,"date":"2016-05-03","file":"model=m/date=2016-05-03/a.parquet","rows":3,"sha256":"aa"}`,
		`forget {"bytes":10,"date":"2016-05-03","file":"model=m/date=2016-05-03/a.parquet","rows":3,"sha256":"bb","was":"aa"}`,
		`trim {"bytes":10,"date":"2016-05-03","file":"model=m/date=2016-05-03/a.parquet","rows":3,"was":"bb"}`,
	})
	if n := must(db.VerifyAudit(t.Context()))(t); n != 3 {
		t.Errorf("got %d records", n)
	}
	for server, sum := range map[string]string{"north": "dd", "south": "ee"} { // each has a folder of its own
		theirs := file
		theirs.Server, theirs.SHA256 = server, sum
		check(t, tell(audit.Sealed, theirs))
		check(t, tell(audit.Sealed, theirs))
	}
	files := audit.Files{}
	for _, r := range must(db.Audit(t.Context(), 0, 100))(t) {
		check(t, files.Follow(r, "south"))
	}
	if len(files) != 1 || files[file.Path].SHA256 != "ee" {
		t.Errorf("the files of a server: %+v", files)
	}
}
