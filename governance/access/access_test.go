// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
)

// memory keeps what a directory knows.
type memory struct {
	mu       sync.Mutex
	n        int64
	users    []access.User
	tokens   []access.Token
	sessions []access.Session
	told     []string
	broken   error
}

func (m *memory) AccessGeneration(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n, m.broken
}
func (m *memory) Users(context.Context) ([]access.User, error)       { return m.users, m.broken }
func (m *memory) Tokens(context.Context) ([]access.Token, error)     { return m.tokens, m.broken }
func (m *memory) Sessions(context.Context) ([]access.Session, error) { return m.sessions, m.broken }
func (m *memory) ChangeUsers(_ context.Context, decide func([]access.User) (access.User, audit.Record, error)) error {
	u, rec, err := decide(m.users)
	if err != nil {
		return err
	}
	m.tell(rec)
	for i := range m.users {
		if m.users[i].Name == u.Name {
			m.users[i] = u
			return nil
		}
	}
	m.users = append(m.users, u)
	return nil
}

func (m *memory) tell(rec audit.Record) {
	m.n++
	m.told = append(m.told, rec.Actor+" "+rec.Action+" "+rec.Object+" "+string(rec.Data))
}

func (m *memory) AddToken(_ context.Context, t access.Token, rec audit.Record) error {
	m.tell(rec)
	m.tokens = append(m.tokens, t)
	return nil
}

func (m *memory) EndToken(_ context.Context, id string, at time.Time, rec audit.Record) error {
	m.tell(rec)
	for i := range m.tokens {
		if m.tokens[i].ID == id {
			m.tokens[i].EndedAt = &at
		}
	}
	return nil
}

func (m *memory) AddSession(_ context.Context, s access.Session) error {
	m.n++
	m.sessions = append(m.sessions, s)
	return nil
}

func (m *memory) EndSessions(_ context.Context, digest, user string, now time.Time) error {
	m.n++
	var left []access.Session
	for _, s := range m.sessions {
		if s.Digest != digest && s.User != user && s.ExpiresAt.After(now) {
			left = append(left, s)
		}
	}
	m.sessions = left
	return nil
}

const good = "correct horse battery"

// desk is a directory with ana, who is an admin, on a clock that stands.
func desk(t *testing.T) (*access.Directory, *memory, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := &memory{}
	d, err := access.NewDirectory(t.Context(), access.Options{Store: m, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if d.Guarded() {
		t.Fatal("a directory without users is guarded")
	}
	password := good
	if _, err := d.AddUser(t.Context(), access.Local, "ana", access.Change{Grants: []access.Grant{{Role: "admin"}}, Password: &password}); err != nil {
		t.Fatal(err)
	}
	return d, m, &now
}

func add(t *testing.T, d *access.Directory, name string, grants ...access.Grant) {
	t.Helper()
	if _, err := d.AddUser(t.Context(), "ana", name, access.Change{Grants: grants}); err != nil {
		t.Fatal(err)
	}
}

func token(t *testing.T, d *access.Directory, k access.Token) (access.Token, string) {
	t.Helper()
	ana, err := d.ByPassword(t.Context(), "ana", good, "1.2.3.4")
	if err != nil {
		t.Fatal(err)
	}
	k, secret, err := d.AddToken(t.Context(), ana, k)
	if err != nil {
		t.Fatal(err)
	}
	return k, secret
}

func TestRolesMayWhatTheirTableSays(t *testing.T) {
	d, _, _ := desk(t)
	add(t, d, "bo", access.Grant{Role: "ml-engineer", Model: "hotel"}, access.Grant{Role: "viewer"})
	add(t, d, "shop", access.Grant{Role: "app", Model: "hotel"})
	_, bo := token(t, d, access.Token{User: "bo"})
	_, shop := token(t, d, access.Token{User: "shop"})
	_, narrow := token(t, d, access.Token{User: "bo", Scope: access.Scope{May: []access.Permission{access.Read}, Models: []string{"hotel"}}})
	for _, c := range []struct {
		secret, model string
		p             access.Permission
		may           bool
	}{
		{bo, "hotel", access.Retreat, true},
		{bo, "bikes", access.Retreat, false},
		{bo, "", access.Retreat, false},
		{bo, "bikes", access.Read, true},
		{bo, "", access.Read, true},
		{bo, "hotel", access.Users, false},
		{bo, "", access.Known, true},
		{shop, "hotel", access.Predict, true},
		{shop, "hotel", access.Read, false},
		{shop, "bikes", access.Predict, false},
		{narrow, "hotel", access.Read, true},
		{narrow, "bikes", access.Read, false},
		{narrow, "", access.Read, false},
		{narrow, "hotel", access.Retreat, false},
	} {
		who, err := d.ByToken(c.secret)
		if err != nil {
			t.Fatal(err)
		}
		if got := who.May(c.p, c.model); got != c.may {
			t.Errorf("%s %s on %q: got %v", who.Name, c.p, c.model, got)
		}
	}
	if (access.Identity{}).May(access.Read, "") || (access.Identity{}).May(access.Known, "") {
		t.Error("nobody may something")
	}
	if !access.Anyone().May(access.Clock, "hotel") {
		t.Error("the local user may not everything")
	}
}

func TestNobodyHasAllPermissionsAndEachIsSomebodys(t *testing.T) {
	for _, p := range access.Permissions() {
		n := 0
		for _, r := range access.Roles() {
			for _, q := range r.May {
				if p == q {
					n++
				}
			}
			if len(r.May) == len(access.Permissions()) {
				t.Errorf("%s may everything", r.Name)
			}
		}
		if n == 0 {
			t.Errorf("no role may %s", p)
		}
	}
}

func TestATokenEndsWithItsTimeItsUserAndWhenItIsTakenBack(t *testing.T) {
	d, m, now := desk(t)
	add(t, d, "bo", access.Grant{Role: "viewer"})
	k, secret := token(t, d, access.Token{User: "bo"})
	if got := k.ExpiresAt.Sub(*now); got != access.UsualTokenAge {
		t.Errorf("good for %v", got)
	}
	if strings.Contains(strings.Join(m.told, "\n"), secret) || strings.Contains(strings.Join(m.told, "\n"), good) {
		t.Error("the audit chain tells a secret")
	}
	good := func() bool { _, err := d.ByToken(secret); return err == nil }
	if !good() {
		t.Fatal("a new token is not good")
	}
	for _, wrong := range []string{"", "fly_", secret[:len(secret)-1], secret + "x", "fly_" + strings.Repeat("0", 12) + "_x"} {
		if _, err := d.ByToken(wrong); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	off, on := true, false
	if _, err := d.SetUser(t.Context(), "ana", "bo", access.Change{Disabled: &off}); err != nil || good() {
		t.Errorf("good though its user is disabled: %v", err)
	}
	if _, err := d.SetUser(t.Context(), "ana", "bo", access.Change{Disabled: &on}); err != nil || !good() {
		t.Errorf("not good though its user is back: %v", err)
	}
	*now = k.ExpiresAt
	if good() {
		t.Error("good after its time")
	}
	*now = now.Add(-time.Second)
	bo, err := d.ByToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.EndToken(t.Context(), bo, k.ID); err != nil || good() {
		t.Errorf("good after it was taken back: %v", err)
	}
}

func TestATokenMakesNoneThatMayMore(t *testing.T) {
	d, _, _ := desk(t)
	add(t, d, "bo", access.Grant{Role: "data-scientist"})
	_, secret := token(t, d, access.Token{User: "bo", Scope: access.Scope{May: []access.Permission{access.Track, access.Read}}})
	bo, err := d.ByToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		k    access.Token
		kind fault.Kind
	}{
		{"as wide as its user", access.Token{}, fault.Denied},
		{"another permission", access.Token{Scope: access.Scope{May: []access.Permission{access.Predict}}}, fault.Denied},
		{"somebody else's", access.Token{User: "ana"}, fault.Denied},
		{"for two years", access.Token{Scope: access.Scope{May: []access.Permission{access.Read}}, ExpiresAt: d.Now().Add(2 * access.MaxTokenAge)}, fault.Invalid},
	} {
		if _, _, err := d.AddToken(t.Context(), bo, c.k); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, err := d.AddToken(t.Context(), bo, access.Token{Scope: access.Scope{May: []access.Permission{access.Read}}}); err != nil {
		t.Errorf("a narrower one: %v", err)
	}
}

func TestTheLastWhoKeepsUsersStays(t *testing.T) {
	d, _, _ := desk(t)
	off, none := true, ""
	for name, c := range map[string]access.Change{
		"disabled": {Disabled: &off}, "another role": {Grants: []access.Grant{{Role: "viewer"}}},
		"of one model": {Grants: []access.Grant{{Role: "admin", Model: "hotel"}}}, "without a password": {Password: &none},
	} {
		if _, err := d.SetUser(t.Context(), "ana", "ana", c); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fresh, err := access.NewDirectory(t.Context(), access.Options{Store: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.AddUser(t.Context(), access.Local, "bo", access.Change{Grants: []access.Grant{{Role: "viewer"}}}); !fault.Is(err, fault.Invalid) || fresh.Guarded() {
		t.Errorf("a first user who keeps none: %v", err)
	}
}

func TestWhoGuessesPasswordsWaitsAndLocksNobodyOut(t *testing.T) {
	d, _, now := desk(t)
	try := func(name, password, from string) error {
		_, err := d.ByPassword(t.Context(), name, password, from)
		return err
	}
	for range 5 {
		if err := try("ana", "wrong wrong wrong", "6.6.6.6"); !fault.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
	}
	if err := try("ana", good, "6.6.6.6"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("after five wrong ones: %v", err)
	}
	if err := try("ana", good, "1.2.3.4"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	*now = now.Add(2 * time.Second)
	if err := try("ana", good, "6.6.6.6"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	for range 25 {
		_ = try("nobody"+now.String(), "wrong wrong wrong", "7.7.7.7")
		*now = now.Add(time.Millisecond)
	}
	if err := try("bo", "wrong wrong wrong", "7.7.7.7"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("an address that tries all names: %v", err)
	}
}

func TestANewPasswordEndsTheSessionsOfTheOldOne(t *testing.T) {
	d, _, now := desk(t)
	secret, until, err := d.SignIn(t.Context(), "ana", "password")
	if err != nil || until.Sub(*now) != 12*time.Hour {
		t.Fatal(until, err)
	}
	ana, err := d.BySession(secret)
	if err != nil || ana.Name != "ana" || ana.Via != "session" {
		t.Fatal(ana, err)
	}
	if _, err := d.SetPassword(t.Context(), ana, "not the old one", "another horse battery"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without the old password: %v", err)
	}
	if _, err := d.SetPassword(t.Context(), ana, good, "short"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a short one: %v", err)
	}
	if _, err := d.SetPassword(t.Context(), ana, good, "another horse battery"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.BySession(secret); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the session goes on: %v", err)
	}
	if _, err := d.ByPassword(t.Context(), "ana", good, "1.2.3.4"); err == nil {
		t.Error("the old password is good")
	}
	secret, _, err = d.SignIn(t.Context(), "ana", "password")
	if err != nil {
		t.Fatal(err)
	}
	*now = now.Add(12 * time.Hour)
	if _, err := d.BySession(secret); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("after twelve hours: %v", err)
	}
}

func TestWhatIsKnownHoldsWhileTheRecordsCannotBeRead(t *testing.T) {
	d, m, _ := desk(t)
	_, secret := token(t, d, access.Token{User: "ana"})
	m.mu.Lock()
	m.broken, m.n = fault.New(fault.Unavailable, "gone"), m.n+1
	m.mu.Unlock()
	if err := d.Refresh(t.Context()); err == nil {
		t.Error("no error")
	}
	if _, err := d.ByToken(secret); err != nil || !d.Guarded() {
		t.Errorf("got %v", err)
	}
}

func TestNamesAndPasswordsThatCannotBe(t *testing.T) {
	for _, name := range []string{"", "Ana", "-a", ".", "a b", "ä", "local", "flyball", strings.Repeat("a", 41), "a/b"} {
		if err := access.CheckName(name); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"ana", "a", "a.b-c_d", "7"} {
		if err := access.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, p := range []string{"", "short", strings.Repeat("x", 257), "ana12345678"} {
		if err := access.CheckPassword("ana", p); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", p, err)
		}
	}
	u := access.User{Name: "shop", Grants: []access.Grant{{Role: "app"}}, Password: "x"}
	if err := u.Check(); !fault.Is(err, fault.Invalid) {
		t.Errorf("a program with a password: %v", err)
	}
}

func TestTheDocumentHasTheRoles(t *testing.T) {
	raw, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range access.Roles() {
		whom, may := "people", make([]string, len(r.May))
		if r.Machine {
			whom = "programs"
		}
		for i, p := range r.May {
			may[i] = string(p)
		}
		if line := "| `" + r.Name + "` | " + whom + " | " + strings.Join(may, ", ") + " |"; !strings.Contains(string(raw), line) {
			t.Errorf("docs/access.md lacks: %s", line)
		}
	}
	for _, p := range access.Permissions() {
		if !strings.Contains(string(raw), "\n| `"+string(p)+"` | ") {
			t.Errorf("docs/access.md lacks the permission %s", p)
		}
	}
}

func BenchmarkARequestByToken(b *testing.B) {
	m := &memory{
		n:      1,
		users:  []access.User{{Name: "shop", Grants: []access.Grant{{Role: "viewer"}, {Role: "app", Model: "hotel"}}}},
		tokens: []access.Token{},
	}
	d, err := access.NewDirectory(b.Context(), access.Options{Store: m})
	if err != nil {
		b.Fatal(err)
	}
	secret, err := d.Lend(b.Context(), "bench", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		who, err := d.ByToken(secret)
		if err != nil || !who.May(access.Read, "hotel") {
			b.Fatal(who, err)
		}
	}
}
