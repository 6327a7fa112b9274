// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/model/registry"
)

// risky is the model file with a risk, as it is applied by whoever has no leave to give.
func risky(risk string) string {
	return modelFile + "risk: " + risk + "\nabout: How much is asked for.\n" + `card:
  intended_use: To plan the stock.
  out_of_scope: Prices.
  affected: Buyers.
  limits: New shops.
  owner: oskar
`
}

// office is a server with people, and the clock of its model.
type office struct {
	*App
	people map[string]*client.Client
	data   map[string]registry.DataFile
	at     time.Time
}

func opens(t *testing.T, set ...func(*Config)) *office {
	t.Helper()
	cfg := config(t)
	for _, f := range set {
		f(&cfg)
	}
	cfg.Manual, cfg.Start = true, first.Add(650*time.Hour)
	o := &office{App: start(t, cfg), people: map[string]*client.Client{}, at: cfg.Start}
	o.people["local"] = client.New(o.URL(), "", http.DefaultClient)
	up, err := o.people["local"].Upload(t.Context(), bytes.NewReader(table(t, 640)))
	if err != nil {
		t.Fatal(err)
	}
	o.data = map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}}
	p := password
	for _, u := range []struct {
		name  string
		roles []string
	}{
		{"adam", []string{"admin"}},
		{"ana", []string{"data-scientist", "validator"}},
		{"vera", []string{"validator"}},
		{"oskar", []string{"owner"}},
		{"mia", []string{"ml-engineer"}},
		{"ned", []string{"ml-engineer"}},
	} {
		var grants []access.Grant
		for _, r := range u.roles {
			grants = append(grants, access.Grant{Role: r})
		}
		by := o.people["local"]
		if a := o.people["adam"]; a != nil {
			by = a
		}
		mail := u.name + "@example.org"
		if _, err := by.AddUser(t.Context(), u.name, wire.User{Grants: grants, Password: &p, Mail: &mail}); err != nil {
			t.Fatal(err)
		}
		o.people[u.name] = client.New(o.URL(), "", http.DefaultClient).As(u.name, password)
	}
	return o
}

func (o *office) apply(t *testing.T, by, risk string) {
	t.Helper()
	if _, err := o.people[by].Apply(t.Context(), wire.ApplyRequest{Name: "model.yaml", File: risky(risk), Data: o.data}); err != nil {
		t.Fatal(err)
	}
}

func (o *office) pass(t *testing.T, d time.Duration) {
	t.Helper()
	o.at = o.at.Add(d)
	if err := o.people["adam"].Advance(t.Context(), o.at); err != nil {
		t.Fatal(err)
	}
}

// asked is the newest request, which must stand so.
func (o *office) asked(t *testing.T, want approval.State) wire.Approval {
	t.Helper()
	all, err := o.people["vera"].Approvals(t.Context(), "demand")
	if err != nil || len(all) == 0 || all[0].Decision.State != want {
		t.Fatalf("got %+v, %v; want %s", all, err, want)
	}
	return all[0]
}

func (o *office) says(t *testing.T, who, what, why string) error {
	t.Helper()
	all, err := o.people["vera"].Approvals(t.Context(), "demand")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	_, err = o.people[who].Say(t.Context(), "demand", all[0].ID, what, wire.Say{Why: why, Digest: all[0].Digest})
	return err
}

func (o *office) live(t *testing.T) int {
	t.Helper()
	st, err := o.people["vera"].Status(t.Context(), "demand")
	if err != nil {
		t.Fatal(err)
	}
	return st.Live
}

func TestAModelOfHighRiskGoesLiveWithTheLeaveOfTwo(t *testing.T) {
	o := opens(t)
	o.apply(t, "ana", "high")
	o.pass(t, time.Hour)
	a := o.asked(t, approval.Waiting)
	if a.By != "flyball" || !slices.Equal(a.Authors, []string{"ana"}) || o.live(t) != 0 {
		t.Fatalf("asked: %+v", a)
	}
	_, err := o.people["ana"].Release(t.Context(), "demand", 1, "it is good")
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "it waits for a validator and an owner") {
		t.Errorf("ana promotes: %v", err)
	}
	if _, err = o.people["mia"].Change(t.Context(), "demand", "promote", ""); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "demand@1 is not released yet") {
		t.Errorf("mia moves it on: %v", err)
	}
	ahead, err := o.people["ana"].Foresee(t.Context(), "demand", 1)
	if err != nil || !slices.Contains(ahead.Text, "before it begins, a validator and an owner must agree who neither proposed nor made it") {
		t.Errorf("foreseen: %v, %v", ahead.Text, err)
	}
	for _, c := range []struct {
		who, what, why string
		kind           fault.Kind
		says           string
	}{
		{"ana", "approve", "mine", fault.Denied, "nobody approves their own"},
		{"mia", "approve", "x", fault.Denied, "may not do this"},
		{"vera", "override", "x", fault.Denied, "may not do this"},
		{"vera", "reject", "", fault.Invalid, "needs a reason"},
		{"adam", "approve", "x", fault.Denied, "may not do this"},
	} {
		if err := o.says(t, c.who, c.what, c.why); !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %ss: got %v", c.who, c.what, err)
		}
	}
	if err := o.says(t, "vera", "approve", "the slices hold"); err != nil {
		t.Fatal(err)
	}
	o.pass(t, time.Hour)
	if o.asked(t, approval.Waiting); o.live(t) != 0 {
		t.Fatal("one of two is enough")
	}
	if err := o.says(t, "oskar", "approve", ""); err != nil {
		t.Fatal(err)
	}
	o.pass(t, time.Hour)
	if a = o.asked(t, approval.Approved); o.live(t) != 1 || a.Decision.Why != "approved by vera (validator) and oskar (owner)" {
		t.Errorf("version %d is live: %+v", o.live(t), a.Decision)
	}
	o.onRecord(t, "approve", a, "vera", "oskar")
	o.onRecord(t, "ask approval", a, "flyball")
	o.onRecord(t, "approval approved", a, "flyball")
	if waiting, err := o.people["vera"].Approvals(t.Context(), ""); err != nil || len(waiting) != 0 {
		t.Errorf("still waiting: %+v, %v", waiting, err)
	}
}

// onRecord checks that the audit chain holds a record of the action by each, with the
// digest of the request, and no other.
func (o *office) onRecord(t *testing.T, action string, a wire.Approval, by ...string) {
	t.Helper()
	all, err := o.store.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range slices.DeleteFunc(all, func(r audit.Record) bool { return r.Action != action }) {
		got = append(got, r.Actor)
		if !strings.Contains(string(r.Data), string(a.Digest)) || r.Object != a.Ref().String() {
			t.Errorf("%s by %s of %s: %s", action, r.Actor, r.Object, r.Data)
		}
	}
	if !slices.Equal(got, by) {
		t.Errorf("%s: got %v, want %v", action, got, by)
	}
}

func TestAReleaseIsRefusedExpiresIsVoidAndIsOverridden(t *testing.T) {
	o := opens(t)
	o.apply(t, "ana", "medium")
	o.pass(t, time.Hour)
	if err := o.says(t, "vera", "reject", "too few rows"); err != nil {
		t.Fatal(err)
	}
	o.asked(t, approval.Rejected)

	promote := func(by string) {
		t.Helper()
		if _, err := o.people[by].Release(t.Context(), "demand", 1, "again"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "it waits for a validator") {
			t.Fatalf("%s promotes: %v", by, err)
		}
	}
	promote("mia")
	o.pass(t, 8*24*time.Hour)
	o.asked(t, approval.Expired)

	promote("mia")
	o.apply(t, "ana", "low") // whoever lowers the risk does not get around it, nor does what is trained anew
	o.pass(t, time.Minute)
	if a := o.asked(t, approval.Waiting); a.Version != 2 || a.Risk != approval.Medium || a.Filed != approval.Low {
		t.Errorf("asked anew: %+v", a)
	}
	if all, err := o.people["vera"].Approvals(t.Context(), "demand"); err != nil || len(all) != 4 || all[1].Decision.State != approval.Void {
		t.Errorf("the one before: %+v, %v", all, err)
	}

	if err := o.says(t, "mia", "override", "the shelves are empty"); err != nil {
		t.Fatal(err)
	}
	if err := o.says(t, "mia", "override", "now"); !fault.Is(err, fault.Conflict) {
		t.Errorf("mia alone: %v", err)
	}
	if err := o.says(t, "ned", "override", "seen it"); err != nil {
		t.Fatal(err)
	}
	o.pass(t, time.Hour)
	a := o.asked(t, approval.Overridden)
	if o.live(t) != 2 || a.Decision.Why != "nobody's leave: overridden by mia (the shelves are empty), and by ned (seen it)" {
		t.Errorf("version %d is live: %+v", o.live(t), a.Decision)
	}
	if _, err := o.people["oskar"].Change(t.Context(), "demand", "hold", "looking"); err != nil {
		t.Errorf("a hold needs leave: %v", err)
	}
}

func TestWithoutUsersNobodyApprovesWhatTheyMade(t *testing.T) {
	cfg := config(t)
	cfg.Manual, cfg.Start = true, first.Add(650*time.Hour)
	o := &office{App: start(t, cfg), at: cfg.Start}
	c := client.New(o.URL(), "", http.DefaultClient)
	o.people = map[string]*client.Client{"local": c, "adam": c, "vera": c}
	up, err := c.Upload(t.Context(), bytes.NewReader(table(t, 640)))
	if err != nil {
		t.Fatal(err)
	}
	o.data = map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}}
	o.apply(t, "local", "medium")
	o.pass(t, time.Hour)
	o.asked(t, approval.Waiting)
	if err := o.says(t, "local", "approve", ""); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "flyball users add NAME --role admin") {
		t.Errorf("got %v", err)
	}
}
