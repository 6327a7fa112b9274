// SPDX-License-Identifier: Apache-2.0

package duty

import (
	"fmt"
	"testing"
	"time"

	"flyball/unit"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func weekly() *Rota {
	return &Rota{People: []string{"ana", "bo", "chen"}, Turn: unit.Duration(7 * 24 * time.Hour), From: "2026-03-02T08:00"}
}

func TestWhoHasTheDutyFollowsFromTheMoment(t *testing.T) {
	away := func(who, from, to string) Absence { return Absence{Person: who, From: at(from), To: at(to)} }
	for _, c := range []struct {
		name string
		duty Duty
		now  string
		away []Absence
		want string
	}{
		{"before the first turn", Duty{Rota: weekly()}, "2026-01-01 00:00", nil, "ana, then bo"},
		{"the first", Duty{Rota: weekly()}, "2026-03-02 08:00", nil, "ana, then bo"},
		{"a moment before the hand-over", Duty{Rota: weekly()}, "2026-03-09 07:59", nil, "ana, then bo"},
		{"the hand-over", Duty{Rota: weekly()}, "2026-03-09 08:00", nil, "bo, then chen"},
		{"after the last it begins anew", Duty{Rota: weekly()}, "2026-03-23 08:00", nil, "ana, then bo"},
		{"across a change of summer time, which UTC has not", Duty{Rota: weekly()}, "2026-03-30 08:00", nil, "bo, then chen"},
		{"with a backup of its own", Duty{Rota: weekly(), Backup: "dee"}, "2026-03-09 08:00", nil, "bo, then dee"},
		{"whose turn it is is away", Duty{Rota: weekly()}, "2026-03-10 00:00", []Absence{away("bo", "2026-03-09 00:00", "2026-03-12 00:00")}, "chen, then ana"},
		{"and back", Duty{Rota: weekly()}, "2026-03-12 00:00", []Absence{away("bo", "2026-03-09 00:00", "2026-03-12 00:00")}, "bo, then chen"},
		{"the named backup is away", Duty{Rota: weekly(), Backup: "dee"}, "2026-03-10 00:00", []Absence{away("dee", "2026-03-09 00:00", "2026-03-12 00:00")}, "bo, then chen"},
		{"one is left", Duty{Rota: weekly()}, "2026-03-10 00:00", []Absence{away("bo", "2026-03-09 00:00", "2026-03-12 00:00"), away("ana", "2026-03-09 00:00", "2026-03-12 00:00")}, "chen, then chen"},
		{"no rota", Duty{Owner: "ana", Backup: "bo"}, "2026-03-10 00:00", nil, "ana, then bo"},
		{"no rota, the owner is away", Duty{Owner: "ana", Backup: "bo"}, "2026-03-10 00:00", []Absence{away("ana", "2026-03-09 00:00", "2026-03-12 00:00")}, "bo, then bo"},
		{"no rota, the backup is away", Duty{Owner: "ana", Backup: "bo"}, "2026-03-10 00:00", []Absence{away("bo", "2026-03-09 00:00", "2026-03-12 00:00")}, "ana, then ana"},
		{"nobody", Duty{}, "2026-03-10 00:00", nil, ", then "},
		{"all are away, and somebody is called", Duty{Owner: "ana", Backup: "bo"}, "2026-03-10 00:00", []Absence{away("bo", "2026-03-09 00:00", "2026-03-12 00:00"), away("ana", "2026-03-09 00:00", "2026-03-12 00:00")}, "ana, then ana"},
		{"no backup", Duty{Owner: "ana"}, "2026-03-10 00:00", nil, "ana, then "},
	} {
		got := c.duty.At(at(c.now), c.away)
		if text := fmt.Sprintf("%s, then %s", got.Owner, got.Backup); text != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}

func TestAnAbsenceThatLeavesADutyToNobodyIsAHole(t *testing.T) {
	d := Duties{Fix: Duty{Rota: &Rota{People: []string{"ana", "bo"}, Turn: unit.Duration(24 * time.Hour), From: "2026-03-02"}}, Feed: Duty{Owner: "chen", Backup: "dee"}}
	week := func(who, from, to string) Absence { return Absence{Person: who, From: at(from), To: at(to)} }
	bo := week("bo", "2026-03-09 00:00", "2026-03-16 00:00")
	for _, c := range []struct {
		name string
		a    Absence
		want string
	}{
		{"the other one is here", week("ana", "2026-03-01 00:00", "2026-03-09 00:00"), ""},
		{"they overlap by a minute", week("ana", "2026-03-01 00:00", "2026-03-09 00:01"), "fix"},
		{"within the other's", week("ana", "2026-03-10 00:00", "2026-03-11 00:00"), "fix"},
		{"who has another duty", week("chen", "2026-03-10 00:00", "2026-03-11 00:00"), ""},
		{"who has none", week("eve", "2026-03-10 00:00", "2026-03-11 00:00"), ""},
		{"the same person, moved", week("bo", "2026-03-10 00:00", "2026-03-11 00:00"), ""},
	} {
		if got := d.Hole(c.a, []Absence{bo}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestARotaWithAHoleIsRefused(t *testing.T) {
	for want, r := range map[string]Rota{
		"a rota has 2 to 100 people, for the next one is the backup":                           {People: []string{"ana"}, Turn: unit.Duration(24 * time.Hour), From: "2026-03-02"},
		"a rota names each of its people once":                                                 {People: []string{"ana", "ana"}, Turn: unit.Duration(24 * time.Hour), From: "2026-03-02"},
		"a turn of a rota lasts an hour at least; say turn: 7d":                                {People: []string{"ana", "bo"}, From: "2026-03-02"},
		`"monday" is no time for a rota to begin; say 2026-03-02, or 2026-03-02T08:00, in UTC`: {People: []string{"ana", "bo"}, Turn: unit.Duration(24 * time.Hour), From: "monday"},
	} {
		if err := r.Check(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := weekly().Check(); err != nil {
		t.Error(err)
	}
}
