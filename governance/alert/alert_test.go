// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/governance/duty"
	"flyball/unit"
)

// monday is ten in the morning, UTC.
var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func facts(change func(*Facts)) Facts {
	f := Facts{
		Holds: true, Duty: duty.Duty{Owner: "ana", Backup: "bo", Within: unit.Duration(30 * time.Minute)}, Leads: []string{"chen", "dee"},
		Ways: func(string) []string { return []string{"mail"} },
	}
	if change != nil {
		change(&f)
	}
	return f
}

func drift(d string) Alert {
	return Open(Cause{Key: "hotel/1/drift/lead_time", Model: "hotel", Kind: "drift", Severity: "warn", Duty: d, Opened: monday, Text: "lead_time moved"})
}

// story asks Next every ten minutes for so many hours, and tells when who was told as what.
func story(a Alert, hours int, f func(at time.Duration, a *Alert) Facts) string {
	var out []string
	for at := time.Duration(0); at <= time.Duration(hours)*time.Hour; at += 10 * time.Minute {
		now := f(at, &a)
		var steps []Step
		a, steps = Next(a, now, monday.Add(at))
		for _, s := range steps {
			out = append(out, fmt.Sprintf("%s %s as %s", monday.Add(at).Format("15:04"), s.Who, s.As))
		}
		if _, again := Next(a, now, monday.Add(at)); len(again) > 0 {
			out = append(out, "told twice at the same moment")
		}
	}
	return strings.Join(out, ", ")
}

func TestWhoIsToldAndWhen(t *testing.T) {
	night, err := ParseHours("10:00-12:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	always := func(change func(*Facts)) func(time.Duration, *Alert) Facts {
		return func(time.Duration, *Alert) Facts { return facts(change) }
	}
	for _, c := range []struct {
		name  string
		alert Alert
		facts func(at time.Duration, a *Alert) Facts
		want  string
	}{
		{"nobody answers", drift("monitor"), always(nil), "10:00 ana as owner, 10:30 bo as backup, 11:00 chen as lead, 11:00 dee as lead"},
		{"the owner answers after twenty minutes", drift("monitor"), func(at time.Duration, a *Alert) Facts {
			if at == 20*time.Minute {
				*a, _ = a.Acknowledge("ana", "", monday.Add(at))
			}
			return facts(nil)
		}, "10:00 ana as owner"},
		{"in quiet hours it waits", drift("monitor"), always(func(f *Facts) { f.Quiet = night }), "12:00 ana as owner, 12:30 bo as backup, 13:00 chen as lead, 13:00 dee as lead"},
		{"the duty fix does not wait", drift("fix"), always(func(f *Facts) { f.Quiet = night }), "10:00 ana as owner, 10:30 bo as backup, 11:00 chen as lead, 11:00 dee as lead"},
		{"a silence ends", drift("fix"), always(func(f *Facts) { f.Silenced = monday.Add(3 * time.Hour) }), "13:00 ana as owner, 13:30 bo as backup, 14:00 chen as lead, 14:00 dee as lead"},
		{"the owner cannot be told", drift("monitor"), always(func(f *Facts) {
			f.Ways = func(name string) []string { return map[string][]string{"bo": {"mail"}, "dee": {"slack"}}[name] }
		}), "10:00 bo as backup, 10:30 dee as lead"},
		{"nobody can be told", drift("monitor"), always(func(f *Facts) { f.Ways = func(string) []string { return nil } }), ""},
		{"one person is all", drift("monitor"), always(func(f *Facts) { f.Duty.Backup, f.Leads = "ana", []string{"ana"} }), "10:00 ana as owner"},
		{"a duty without a limit has four hours", drift("monitor"), always(func(f *Facts) { f.Duty.Within = 0 }), "10:00 ana as owner, 14:00 bo as backup"},
		{"a hand-over takes it along", drift("monitor"), func(at time.Duration, _ *Alert) Facts {
			return facts(func(f *Facts) {
				if at >= 20*time.Minute {
					f.Duty.Owner = "eve"
				}
			})
		}, "10:00 ana as owner, 10:20 eve as owner, 10:50 bo as backup, 11:20 chen as lead, 11:20 dee as lead"},
		{"whoever was told is told that it is over", drift("monitor"), func(at time.Duration, _ *Alert) Facts {
			return facts(func(f *Facts) { f.Holds = at < 40*time.Minute })
		}, "10:00 ana as owner, 10:30 bo as backup, 10:40 ana as over, 10:40 bo as over"},
		{"the end waits for the morning too", drift("monitor"), func(at time.Duration, _ *Alert) Facts {
			return facts(func(f *Facts) {
				f.Holds = at < 30*time.Minute
				if at >= 10*time.Minute {
					f.Quiet = night
				}
			})
		}, "10:00 ana as owner, 12:00 ana as over"},
		{"what is over before anybody was told is told to nobody", drift("monitor"), func(at time.Duration, _ *Alert) Facts {
			return facts(func(f *Facts) { f.Holds, f.Quiet = at < 30*time.Minute, night })
		}, ""},
		{"a note calls nobody", func() Alert { a := drift("monitor"); a.Severity = Note; return a }(), always(nil), ""},
	} {
		if got := story(c.alert, 5, c.facts); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAnAlertIsAcknowledgedOnce(t *testing.T) {
	a, ok := drift("monitor").Acknowledge("ana", "on it", monday)
	if !ok || a.Acked.By != "ana" || !a.Closed.IsZero() {
		t.Errorf("got %+v, %v", a.Acked, ok)
	}
	if _, ok := a.Acknowledge("bo", "", monday); ok {
		t.Error("it was acknowledged twice")
	}
	once := drift("fix")
	once.Once = true
	if once, _ = once.Acknowledge("ana", "", monday); !once.Closed.Equal(monday) {
		t.Error("what happened once is not over when it is acknowledged")
	}
}

func TestTheSameCauseIsTheSameAlert(t *testing.T) {
	c := Cause{Key: "training/hotel", Opened: monday}
	later := c
	later.Opened = monday.Add(time.Hour)
	if Open(c).ID != Open(later).ID || len(Open(c).ID) != 10 {
		t.Errorf("got %s and %s", Open(c).ID, Open(later).ID)
	}
	c.Again, later.Again = true, true
	if Open(c).ID == Open(later).ID {
		t.Error("what came again is the alert of before")
	}
}

func TestQuietHoursMayGoOverMidnight(t *testing.T) {
	for _, c := range []struct {
		text string
		at   string
		want bool
	}{
		{"22:00-07:00 UTC", "21:59", false},
		{"22:00-07:00 UTC", "22:00", true},
		{"22:00-07:00 UTC", "06:59", true},
		{"22:00-07:00 UTC", "07:00", false},
		{"12:00-13:30 UTC", "13:29", true},
		{"12:00-13:30 UTC", "13:30", false},
		{"00:00-08:00 Asia/Tokyo", "15:00", true}, // midnight there
		{"", "03:00", false},
	} {
		h, err := ParseHours(c.text)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("15:04", c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Holds(at); got != c.want {
			t.Errorf("%s at %s: got %v", c.text, c.at, got)
		}
	}
	for _, text := range []string{"22-7", "22:00", "22:00-25:00", "22:00-07:00 Nowhere/At_All", "22:00-07:00 "} {
		if _, err := ParseHours(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
