// SPDX-License-Identifier: Apache-2.0

package notify_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"flyball/notify"
	"flyball/store"
)

// A process that dies leaves what it claimed, sent or not, to the next: what was noted as
// sent is not sent again, and what was not comes when the claim is over, under its id.
func TestWhatWasSentIsNotSentAgainAfterARestart(t *testing.T) {
	var mu sync.Mutex
	var got []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("webhook-id"))
	}))
	defer hook.Close()
	path := filepath.Join(t.TempDir(), "flyball.db")
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	process := func(do func(db *store.DB, s *notify.Sender)) {
		t.Helper()
		db, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, err := notify.New(notify.Options{
			Outbox: db, Now: func() time.Time { return now }, Config: notify.Config{Webhook: hook.URL, Secret: "0123456789abcdef", Private: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		do(db, s)
	}
	turn := func(_ *store.DB, s *notify.Sender) {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m := notify.Message{Address: notify.Address{Way: notify.Webhook}, CreatedAt: now}
	process(func(db *store.DB, s *notify.Sender) {
		m.ID = "a"
		if err := db.AddMessages(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		turn(db, s)
		m.ID = "b"
		if err := db.AddMessages(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if ms, err := db.ClaimMessages(t.Context(), now, now.Add(5*time.Minute), 1); err != nil || len(ms) != 1 { // and it dies before it sends
			t.Fatalf("got %v, %v", ms, err)
		}
	})
	process(turn)
	if want := []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("after the restart: %v, want %v", got, want)
	}
	now = now.Add(5 * time.Minute)
	process(turn)
	process(turn)
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("after the claim: %v, want %v", got, want)
	}
}
