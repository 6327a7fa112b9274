// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/client"
	"flyball/governance/access"
)

// town is a server with people, whose model of the bikes has been in use for a while
// and has changed now and then, each time with somebody's leave.
type town struct {
	*server
	people map[string]*client.Client
	tokens map[string]string // for commands, by person
	past   []byte            // the model's source
	hours  []hour            // still to come
	now    time.Time
}

const password = "correct horse battery"

// folk are who works there: the duties of the example's model file name ops, ana, bo and
// chen.
var folk = []struct {
	name  string
	roles []string
}{
	{"adam", []string{"admin", "auditor"}},
	{"ops", []string{"data-engineer"}},
	{"ana", []string{"data-scientist"}},
	{"bo", []string{"owner", "data-scientist"}},
	{"chen", []string{"ml-engineer"}},
	{"vera", []string{"validator", "auditor"}},
	{"shop", []string{"app"}},
}

// inUse are the changes to the example's model file that let weeks pass in a test: a
// quick loop, in which each release needs a validator's leave.
func inUse(t *testing.T) string {
	t.Helper()
	return modelFile(t, append(append([][2]string(nil), shortLoop...),
		[2]string{"trees: 30,", "trees: 8,"},
		[2]string{"risk: low", "risk: medium"},
		[2]string{"- {name: mae, against: baseline, require: superior}", "- {name: mae, against: baseline, require: report}"},
		[2]string{"card:  ", "card:\n  intended_use: Vans are sent to the stations that will run empty.\n  #"})...)
}

// settles starts a town and lets it live for so many days.
func settles(t *testing.T, days int) *town {
	t.Helper()
	past, coming := history(t)
	w := &town{server: start(t, t.TempDir()), people: map[string]*client.Client{}, tokens: map[string]string{}, hours: coming}
	w.now, _ = time.Parse("2006-01-02T15:04Z", begin)
	by := w.Client
	for _, f := range folk {
		u := wire.User{}
		if f.name != "shop" { // a program
			u.Password = new(password)
		}
		for _, r := range f.roles {
			u.Grants = append(u.Grants, access.Grant{Role: r})
		}
		if _, err := by.AddUser(t.Context(), f.name, u); err != nil {
			t.Fatal(err)
		}
		if f.name == "adam" {
			by = by.As(f.name, password)
		}
		k, err := by.AddToken(t.Context(), wire.Token{User: f.name})
		if err != nil {
			t.Fatal(err)
		}
		w.tokens[f.name] = k.Secret
		w.people[f.name] = client.New(w.url, k.Secret, http.DefaultClient)
	}
	w.Client, w.past = w.people["ana"], csvFile(past[len(past)-60*24:])
	if err := apply(t.Context(), w.Client, inUse(t), w.past); err != nil {
		t.Fatal(err)
	}
	w.turn(t)
	for range days {
		w.agrees(t)
		w.day(t, nil)
	}
	return w
}

// turn lets the loop look at what there is.
func (w *town) turn(t *testing.T) {
	t.Helper()
	if err := w.people["adam"].Advance(t.Context(), w.now); err != nil {
		t.Fatal(err)
	}
}

// day is a day of questions, with the truth of the day before, in which the loop looks
// four times. change (nil: none) changes what is asked.
func (w *town) day(t *testing.T, change func(hour) map[string]any) {
	t.Helper()
	end := w.now.Add(24 * time.Hour)
	for quarter := range 4 {
		until := end.Add(time.Duration(quarter-3) * 6 * time.Hour)
		var rows []json.RawMessage
		var truth []wire.Label
		for len(w.hours) > 0 && w.hours[0].at.Before(until) {
			h := w.hours[0]
			w.hours = w.hours[1:]
			if !h.at.Before(w.now) {
				var with map[string]any
				if change != nil {
					with = change(h)
				}
				rows, truth = append(rows, h.row(with)), append(truth, h.label())
			}
		}
		if len(rows) > 0 {
			if _, err := w.people["shop"].Predict(t.Context(), bike, rows); err != nil {
				t.Fatal(err)
			}
		}
		w.now = until
		if err := w.people["adam"].SetClock(t.Context(), until); err != nil {
			t.Fatal(err)
		}
		if len(truth) > 0 {
			if _, err := w.people["shop"].Label(t.Context(), bike, truth); err != nil {
				t.Fatal(err)
			}
		}
		w.turn(t)
	}
}

// agrees gives leave to what waits for it.
func (w *town) agrees(t *testing.T) {
	t.Helper()
	all, err := w.people["vera"].Approvals(t.Context(), bike)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Decision.State == "waiting" {
			if _, err := w.people["vera"].Say(t.Context(), bike, a.ID, "approve", wire.Say{Why: "the slices hold", Digest: a.Digest}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.turn(t)
}

// says runs a command as one of the people.
func (w *town) says(t *testing.T, who string, args ...string) result {
	t.Helper()
	return runIn(t, patience, []string{"FLYBALL_TOKEN=" + w.tokens[who], "FLYBALL_URL=" + w.url}, "", args...)
}
