// SPDX-License-Identifier: Apache-2.0

package app

import (
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/approval"
	"flyball/governance/incident"
)

func TestWhoBreaksTheGlassNeedsNobodysLeaveForTwoHoursAndThatIsOnRecord(t *testing.T) {
	o := opens(t)
	ctx := t.Context()
	o.apply(t, "ana", "high")
	o.pass(t, time.Hour)
	o.asked(t, approval.Waiting)
	glass := wire.Break{Why: "nobody answers, and the old model refuses all"}
	for _, who := range []string{"ana", "vera", "oskar"} {
		if _, err := o.people[who].BreakGlass(ctx, "demand", glass); !fault.Is(err, fault.Denied) {
			t.Errorf("%s breaks it: got %v", who, err)
		}
	}
	if _, err := o.people["mia"].BreakGlass(ctx, "demand", wire.Break{Why: "so"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a reason: got %v", err)
	}
	if _, err := o.people["adam"].Say(ctx, "demand", o.asked(t, approval.Waiting).ID, "override", wire.Say{Why: "x"}); !fault.Is(err, fault.Denied) {
		t.Errorf("an admin overrides before: got %v", err)
	}
	got, err := o.people["adam"].BreakGlass(ctx, "demand", glass)
	if err != nil || !strings.Contains(got.Text, "oskar") {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := o.people["mia"].BreakGlass(ctx, "demand", glass); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second time: got %v", err)
	}
	if st, err := o.people["vera"].Status(ctx, "demand"); err != nil || st.Glass == nil || st.Glass.By != "adam" {
		t.Errorf("the status tells of it: %+v, %v", st.Glass, err)
	}
	broke := o.at
	if st, err := o.people["vera"].AsOf(broke.Add(-time.Minute)).Status(ctx, "demand"); err != nil || st.Glass != nil {
		t.Errorf("a minute before: %+v, %v", st.Glass, err)
	}
	if err := o.says(t, "adam", "override", "the desk stands still"); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 10*time.Minute)
	rs, err := o.people["vera"].Releases(ctx, "demand")
	if err != nil || len(rs) != 1 || rs[0].Mark != "nobody's leave: overridden by adam (the desk stands still) alone, who broke the glass" {
		t.Fatalf("the release bears no mark: %+v, %v", rs, err)
	}
	is, err := o.people["vera"].Incidents(ctx, "demand", true)
	if err != nil || len(is) != 1 || is[0].Kind != incident.Glass || is[0].Owner != "adam" {
		t.Fatalf("got %+v, %v", is, err)
	}
	o.pass(t, 2*time.Hour)
	if st, err := o.people["vera"].Status(ctx, "demand"); err != nil || st.Glass != nil {
		t.Errorf("after two hours: %+v, %v", st.Glass, err)
	}
	if st, err := o.people["vera"].AsOf(broke).Status(ctx, "demand"); err != nil || st.Glass == nil || st.Glass.By != "adam" {
		t.Errorf("as of when it was broken: %+v, %v", st.Glass, err)
	}
	if _, err := o.people["adam"].Change(ctx, "demand", "promote", "on"); !fault.Is(err, fault.Denied) {
		t.Errorf("adam promotes after two hours: got %v", err)
	}
	if _, err := o.people["adam"].BreakGlass(ctx, "demand", wire.Break{End: true}); !fault.Is(err, fault.Conflict) {
		t.Errorf("it is ended though it is over: got %v", err)
	}
	for change, kind := range map[string]fault.Kind{"demand@1": fault.Invalid, "demand@9": fault.NotFound, "soon": fault.Invalid} {
		if _, err := o.people["mia"].CloseIncident(ctx, "demand", wire.Learnt{Cause: "nobody was there", Change: change}); !fault.Is(err, kind) {
			t.Errorf("closed by %s: got %v", change, err)
		}
	}
	closed, err := o.people["mia"].CloseIncident(ctx, "demand", wire.Learnt{Cause: "nobody was there", Change: "c0ffee1"})
	if err != nil || closed.Change != "c0ffee1" || closed.Owner != "adam" {
		t.Errorf("got %+v, %v", closed, err)
	}
	records, err := o.people["adam"].Audit(ctx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	acts := map[string]int{}
	for _, r := range records {
		acts[r.Action]++
	}
	if acts["open incident"] != 1 || acts["close incident"] != 1 {
		t.Errorf("the chain tells of %v", acts)
	}
	if _, err := access.RoleOf(access.BreakGlass); err == nil {
		t.Error("nobody can be given the role")
	}
}
