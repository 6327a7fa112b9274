// SPDX-License-Identifier: Apache-2.0

package app

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"flyball/governance/approval"
	"flyball/notify"
)

// mails are what waits in the outbox for an address.
func (o *office) mails(t *testing.T, to string) []notify.Message {
	t.Helper()
	all, err := o.store.ClaimMessages(t.Context(), o.at.Add(2*time.Hour), o.at, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []notify.Message
	for _, m := range all {
		if m.To == to {
			out = append(out, m)
		}
	}
	return out
}

// follows is what a browser gets that nobody signed in with.
func follows(t *testing.T, res *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

func TestALinkAnswersOnceInTheNameOfWhomItWasSentTo(t *testing.T) {
	o := opens(t, func(c *Config) {
		c.External, c.Alerts = "https://fly.example.org/", notify.Config{SMTP: "127.0.0.1:1", From: "flyball@example.org"}
	})
	o.apply(t, "ana", "medium")
	o.pass(t, time.Hour)
	a := o.asked(t, approval.Waiting)
	o.pass(t, time.Minute)
	if all := o.mails(t, "ana@example.org"); len(all) != 0 {
		t.Errorf("who made it is asked: %+v", all)
	}
	all := o.mails(t, "vera@example.org")
	if len(all) != 1 || !strings.Contains(all[0].Text, "vera, your leave is asked for, for demand:") {
		t.Fatalf("got %+v", all)
	}
	link, err := url.Parse(regexp.MustCompile(`https://\S+`).FindString(all[0].Text))
	if err != nil || link.Host != "fly.example.org" || link.Path != "/leave" {
		t.Fatalf("got %s, %v", link, err)
	}
	at := o.URL() + "/leave"
	for _, verb := range []string{http.MethodGet, http.MethodHead, http.MethodGet} { // a scanner of mails follows it, too
		req, err := http.NewRequestWithContext(t.Context(), verb, at+"?"+link.RawQuery, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		status, text := follows(t, res, err)
		if status != http.StatusOK || verb == http.MethodGet && (!strings.Contains(text, string(a.Digest)) || !strings.Contains(text, "Approve v1") || !strings.Contains(text, "flyball asks")) {
			t.Errorf("%s: %d %s", verb, status, text)
		}
	}
	if a = o.asked(t, approval.Waiting); len(a.Given) != 0 {
		t.Errorf("reading said something: %+v", a.Given)
	}
	form := link.Query()
	form.Set("answer", "approve")
	form.Set("why", "seen in the mail")
	for name, change := range map[string][2]string{"for another": {"who", "oskar"}, "of another model": {"model", "other"}, "of another request": {"id", "9"}, "unsigned": {"sign", ""}} {
		bad := maps.Clone(form)
		bad.Set(change[0], change[1])
		res, err := http.PostForm(at, bad)
		if status, text := follows(t, res, err); status != http.StatusForbidden || !strings.Contains(text, "not one that this server made") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	res, err := http.PostForm(at, form)
	if status, text := follows(t, res, err); status != http.StatusOK || !strings.Contains(text, "approved by vera (validator)") {
		t.Errorf("approve: %d %s", status, text)
	}
	o.onRecord(t, "approve", a, "vera")
	form.Set("answer", "reject")
	for _, again := range []func() (*http.Response, error){
		func() (*http.Response, error) { return http.PostForm(at, form) },
		func() (*http.Response, error) { return http.Get(at + "?" + link.RawQuery) },
	} {
		res, err := again()
		if status, text := follows(t, res, err); status != http.StatusUnprocessableEntity || strings.Contains(text, "Approve v1") {
			t.Errorf("once more: %d %s", status, text)
		}
	}
	o.pass(t, time.Hour)
	if a = o.asked(t, approval.Approved); o.live(t) != 1 || len(a.Given) != 1 || a.Given[0].Why != "seen in the mail" {
		t.Errorf("version %d is live: %+v", o.live(t), a)
	}
	key := filepath.Join(o.cfg.Data, linkKey)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 || info.Size() != sizeOfKey {
		t.Errorf("the key: %v, %v", info, err)
	}
}

func TestLeaveThatNobodyGivesIsAskedOfTheNext(t *testing.T) {
	o := opens(t, func(c *Config) { c.Alerts = notify.Config{SMTP: "127.0.0.1:1", From: "flyball@example.org"} })
	o.apply(t, "ana", "medium")
	o.pass(t, time.Hour)
	o.pass(t, time.Minute)
	for _, step := range []struct {
		after time.Duration
		who   string
		count int
	}{{0, "vera", 1}, {0, "oskar", 0}, {23 * time.Hour, "oskar", 0}, {time.Hour, "oskar", 1}} {
		if step.after > 0 {
			o.pass(t, step.after)
		}
		all, err := o.people["vera"].Alerts(t.Context(), "demand", false)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, a := range all {
			for _, s := range a.Told {
				if a.Duty == "approve" && s.Who == step.who {
					got++
				}
			}
		}
		if got != step.count {
			t.Errorf("%s later %s was told %d times, want %d: %+v", step.after, step.who, got, step.count, all)
		}
	}
}
