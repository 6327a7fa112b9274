// SPDX-License-Identifier: Apache-2.0

package alert_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/notify"
	"flyball/store"
	"flyball/unit"
)

// memory is a Store in memory, for the virtual clock: a real one waits for its file.
type memory struct {
	alert.Store
	alerts   map[string]alert.Alert
	messages []notify.Message
}

func (m *memory) UnsettledAlerts(context.Context) (out []alert.Alert, _ error) {
	for _, a := range m.alerts {
		if !a.Settled {
			out = append(out, a)
		}
	}
	return out, nil
}

func hotel(causes ...alert.Cause) []alert.Model {
	d := duty.Duty{Owner: "ana", Backup: "bo", Within: unit.Duration(30 * time.Minute)}
	return []alert.Model{{Name: "hotel", Duties: duty.Duties{Feed: d, Monitor: d, Retrain: d, Fix: duty.Duty{Owner: "chen", Backup: "bo"}}, Causes: causes}}
}

func cause() alert.Cause {
	return alert.Cause{Key: "hotel/1/drift/lead_time", Model: "hotel", Kind: "drift", Severity: "warn", Duty: "monitor", Opened: time.Now(), Text: "lead_time moved"}
}

// desk is a router over a real store, whose clock and causes a test moves.
type desk struct {
	*alert.Router
	db     *store.DB
	now    time.Time
	models []alert.Model
}

func newDesk(t *testing.T, path string) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // it may be closed already
	d := &desk{db: db, now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	c := cause()
	c.Opened = d.now
	d.models = hotel(c)
	d.Router = alert.NewRouter(alert.Options{
		Store: db, Look: func(context.Context) ([]alert.Model, error) { return d.models, nil },
		Ways: func(name string) []notify.Address {
			return []notify.Address{{Way: notify.Webhook}, {Way: notify.Mail, To: name + "@example.org"}}
		},
		Now: func() time.Time { return d.now },
	})
	return d
}

func (d *desk) turn(t *testing.T) {
	t.Helper()
	if err := d.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// waiting are the addresses of what is to be sent.
func (d *desk) waiting(t *testing.T) string {
	t.Helper()
	ms, err := d.db.ClaimMessages(t.Context(), d.now, d.now.Add(1000*time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range ms {
		out = append(out, m.Way+" "+m.To)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestAFindingBecomesMessagesOnceAlsoAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flyball.db")
	d := newDesk(t, path)
	for range 3 {
		d.turn(t)
	}
	if got := d.waiting(t); got != "mail ana@example.org, webhook " {
		t.Errorf("got %s", got)
	}
	if err := d.db.Close(); err != nil {
		t.Fatal(err)
	}
	d = newDesk(t, path)
	d.turn(t)
	if got := d.waiting(t); got != "" {
		t.Errorf("after a restart: %s", got)
	}
	d.now = d.now.Add(30 * time.Minute)
	d.turn(t)
	if got := d.waiting(t); got != "mail bo@example.org, webhook " {
		t.Errorf("after the limit: %s", got)
	}
	all, err := d.List(t.Context(), d.db, "", true)
	if err != nil || len(all) != 1 || len(all[0].Told) != 2 {
		t.Fatalf("got %+v, %v", all, err)
	}
	a, err := d.Acknowledge(t.Context(), all[0].ID, "bo", "the source is late")
	if err != nil || a.Acked.By != "bo" {
		t.Fatalf("got %+v, %v", a, err)
	}
	if _, err := d.Acknowledge(t.Context(), a.ID, "ana", ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
	if _, err := d.Acknowledge(t.Context(), "nobody", "ana", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("none: %v", err)
	}
	d.now = d.now.Add(24 * time.Hour)
	d.turn(t)
	if got := d.waiting(t); got != "" {
		t.Errorf("after it was acknowledged: %s", got)
	}
	d.models = hotel()
	d.turn(t)
	d.turn(t)
	if got := d.waiting(t); got != "mail ana@example.org, mail bo@example.org, webhook , webhook " {
		t.Errorf("at the end: %s", got)
	}
	if n, err := d.db.VerifyAudit(t.Context()); err != nil || n != 1 {
		t.Errorf("got %d records, %v", n, err)
	}
	evs, err := d.db.LastEvents(t.Context(), "hotel", 10)
	if err != nil || len(evs) != 5 || evs[0].Text != "ana (owner of monitor) is told: lead_time moved" {
		t.Errorf("got %+v, %v", evs, err)
	}
}

func TestASilenceHoldsForItsModelUntilItEnds(t *testing.T) {
	d := newDesk(t, filepath.Join(t.TempDir(), "flyball.db"))
	for _, c := range []struct {
		lasts time.Duration
		why   string
	}{{time.Hour, ""}, {8 * 24 * time.Hour, "a long time"}, {-time.Hour, "before"}} {
		if _, err := d.Silence(t.Context(), "hotel", "ana", c.why, c.lasts); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: got %v", c, err)
		}
	}
	if _, err := d.Silence(t.Context(), "hotel", "ana", "the database moves", time.Hour); err != nil {
		t.Fatal(err)
	}
	d.turn(t)
	all, err := d.List(t.Context(), d.db, "hotel", true)
	if err != nil || len(all) != 1 || !all[0].Silenced.Equal(d.now.Add(time.Hour)) || d.waiting(t) != "" {
		t.Fatalf("got %+v, %v", all, err)
	}
	d.now = d.now.Add(time.Hour)
	d.turn(t)
	if got := d.waiting(t); got != "mail ana@example.org, webhook " {
		t.Errorf("after the silence: %s", got)
	}
}

func TestACauseThatNoTurnHasSeenIsShownAndCanBeAcknowledged(t *testing.T) {
	d := newDesk(t, filepath.Join(t.TempDir(), "flyball.db"))
	all, err := d.List(t.Context(), d.db, "", true)
	if err != nil || len(all) != 1 || all[0].Owner != "ana" {
		t.Fatalf("got %+v, %v", all, err)
	}
	if _, err := d.Acknowledge(t.Context(), all[0].ID, "ana", ""); err != nil {
		t.Error(err)
	}
}

func (m *memory) Alert(_ context.Context, id string) (alert.Alert, error) {
	a, is := m.alerts[id]
	if !is {
		return a, fault.New(fault.NotFound, "none")
	}
	return a, nil
}

func (m *memory) SaveAlert(_ context.Context, a alert.Alert, messages []notify.Message, _ *audit.Record, _ ...event.Event) error {
	m.alerts[a.ID] = a
	m.messages = append(m.messages, messages...)
	return nil
}

func (m *memory) Silences(context.Context) ([]alert.Silence, error) { return nil, nil }

func TestOnTheClockOwnerBackupAndLeadAreToldInTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{alerts: map[string]alert.Alert{}}
		models := hotel(cause())
		r := alert.NewRouter(alert.Options{
			Store: m, Look: func(context.Context) ([]alert.Model, error) { return models, nil }, Now: time.Now,
			Ways: func(name string) []notify.Address { return []notify.Address{{Way: notify.Mail, To: name}} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(2 * time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range m.messages {
			got = append(got, x.CreatedAt.Sub(begin).Round(time.Minute).String()+" "+x.To)
		}
		if want := "0s ana, 30m0s bo, 1h0m0s chen"; strings.Join(got, ", ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}
