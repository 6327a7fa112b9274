// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/governance/access"
	"flyball/governance/approval"
	"flyball/model/registry"
	"flyball/monitoring"
)

// witness reads every route that tells the past.
type witness struct {
	*office
	token string
	ids   map[string][]string // what may stand for {id}, {version} and {name} in a pattern, by pattern
}

// get asks a path, as of a moment (zero: now), and returns the status and what was said,
// a JSON document on many lines.
func (w *witness) get(t *testing.T, path string, at time.Time) string {
	t.Helper()
	if !at.IsZero() {
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		path += join + "as_of=" + at.Format(time.RFC3339Nano)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if json.Unmarshal(raw, &v) == nil {
		raw, _ = json.MarshalIndent(v, "", " ")
	}
	return fmt.Sprintf("%d %s", res.StatusCode, raw)
}

// paths are those of the routes of the API that tell the past, with what there is now.
func (w *witness) paths(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, r := range w.routes.Table() {
		path, isGet := strings.CutPrefix(r.Pattern, "GET /v1/")
		if !r.Past || !isGet {
			continue
		}
		path = "/v1/" + strings.ReplaceAll(path, "{model}", "demand")
		more, asked := w.ids[r.Pattern]
		if strings.Contains(path, "{") && !asked {
			t.Errorf("nobody asks %s of the past", r.Pattern)
		}
		if !asked {
			more = []string{path}
		}
		out = append(out, more...)
	}
	return out
}

// said is what every path says, as of a moment (zero: now).
func (w *witness) said(t *testing.T, paths []string, at time.Time) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range paths {
		out[p] = w.get(t, p, at)
	}
	return out
}

// everything adds a user, wil, who may do all that people may.
func (o *office) everything(t *testing.T) {
	t.Helper()
	var grants []access.Grant
	for _, r := range access.Roles() {
		if !slices.Contains([]string{"ci", "trainer", "monitor", "app"}, r.Name) {
			grants = append(grants, access.Grant{Role: r.Name})
		}
	}
	p := password
	if _, err := o.people["adam"].AddUser(t.Context(), "wil", wire.User{Grants: grants, Password: &p}); err != nil {
		t.Fatal(err)
	}
}

// A model is trained, waits for leave, goes live, is followed by another version, has a
// finding, and is rolled back. What each route said at each of these moments it says of
// them at the end.
func TestWhatWasSaidThenIsWhatIsSaidAsOfThen(t *testing.T) {
	o := opens(t)
	o.everything(t)
	ctx := t.Context()
	k, err := o.people["adam"].AddToken(ctx, wire.Token{User: "wil"})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{office: o, token: k.Secret}
	version := func(n int, rest string) string { return fmt.Sprintf("/v1/models/demand/versions/%d/%s", n, rest) }
	w.ids = map[string][]string{
		"GET /v1/models/{model}/versions/{version}/card":          {version(1, "card"), version(2, "card")},
		"GET /v1/models/{model}/versions/{version}/dossier":       {version(1, "dossier"), version(2, "dossier")},
		"GET /v1/models/{model}/versions/{version}/gate":          {version(1, "gate"), version(2, "gate")},
		"GET /v1/models/{model}/versions/{version}/dependence":    {version(1, "dependence"), version(2, "dependence")},
		"GET /v1/models/{model}/versions/{version}/promote":       {version(1, "promote"), version(2, "promote")},
		"GET /v1/models/{model}/versions/{version}/reproductions": {version(1, "reproductions")},
		"GET /v1/models/{model}/predictions/{id}/explanation":     {"/v1/models/demand/predictions/row%207/explanation"},
		"GET /v1/models/{model}/predictions/{id}/dossier":         {"/v1/models/demand/predictions/row%207/dossier"},
		"GET /v1/models/{model}/findings":                         {"/v1/models/demand/findings", "/v1/models/demand/findings?open=true"},
		"GET /v1/audit":                                           {"/v1/audit?object=demand"}, // users are changed by the time of the machine
		"GET /v1/jobs/{id}":                                       {},
		"GET /v1/pipelines/{name}":                                {"/v1/pipelines/none"},
		"GET /v1/pipelines/{name}/diff":                           {"/v1/pipelines/none/diff?from=1&to=2"},
		"GET /v1/events":                                          {"/v1/events", "/v1/events?last=5&model=demand"},
		"GET /v1/models/{model}/predictions":                      {"/v1/models/demand/predictions", "/v1/models/demand/predictions?truth=known"},
		"GET /v1/models/{model}/data/diff":                        {},
		"GET /v1/models/{model}/data/rows":                        {},
		"GET /v1/models/{model}/data/suggest":                     {},
		"GET /v1/models/{model}/data/check":                       {"/v1/models/demand/data/check"},
		"GET /v1/models/{model}/data/show":                        {"/v1/models/demand/data/show"},
		"GET /v1/models/{model}/evidence":                         {"/v1/models/demand/evidence?profile=ai-act"},
	}
	type moment struct {
		name string
		at   time.Time
		said map[string]string
	}
	var moments []moment
	paths := w.paths(t)
	tell := func(name string) {
		t.Helper()
		for range 2 { // nothing happens at the very moment
			o.at = o.at.Add(time.Minute)
			if err := o.people["adam"].SetClock(ctx, o.at); err != nil {
				t.Fatal(err)
			}
			o.flushHours(ctx) // by itself within two seconds
			if len(moments) == 0 || moments[len(moments)-1].name != name {
				moments = append(moments, moment{name, o.at, w.said(t, paths, time.Time{})})
			}
		}
	}
	answer := func(n int) {
		t.Helper()
		var rows []json.RawMessage
		for i := range 10 {
			rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":"row %d","at":%q,"x":0.5,"z":0.25}`, n+i, o.at.Format(time.RFC3339))))
		}
		if _, err := o.people["mia"].Predict(ctx, "demand", rows); err != nil {
			t.Fatal(err)
		}
	}

	o.apply(t, "ana", "medium")
	tell("applied")
	o.pass(t, time.Hour)
	o.asked(t, approval.Waiting)
	tell("v1 waits for leave")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(o.says(t, "vera", "approve", "it holds"))
	o.pass(t, time.Hour)
	answer(0)
	tell("v1 is live")
	_, err = o.people["mia"].Label(ctx, "demand", []wire.Label{{Key: "row 7", Value: json.RawMessage("13.5")}})
	check(err)
	up, err := o.people["ana"].Upload(ctx, bytes.NewReader(table(t, 1010)))
	check(err)
	o.data = map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}}
	o.at = first.Add(1005 * time.Hour)
	check(o.people["adam"].Advance(ctx, o.at))
	o.apply(t, "ana", "medium")
	_, err = o.people["mia"].Change(ctx, "demand", "retrain", "to see the past")
	check(err)
	o.pass(t, time.Hour)
	check(o.says(t, "vera", "approve", "it holds too"))
	o.pass(t, time.Hour)
	if o.live(t) != 2 {
		t.Fatalf("version %d is live", o.live(t))
	}
	answer(10)
	f := monitoring.Finding{ID: "demand/2/drift/x/then", Model: "demand", Version: 2, Kind: monitoring.Drift, Subject: "x", Severity: "warn", Duty: "monitor", Opened: o.at, Text: "x is not as it was"}
	check(o.store.SaveMonitoring(ctx, "demand", nil, []monitoring.Finding{f}, nil))
	tell("v2 is live and x drifts")
	_, err = o.people["mia"].Change(ctx, "demand", "hold", "x drifts")
	check(err)
	_, err = o.people["mia"].Change(ctx, "demand", "rollback", "x drifts")
	check(err)
	f.Closed = o.at
	check(o.store.SaveMonitoring(ctx, "demand", nil, []monitoring.Finding{f}, nil))
	o.pass(t, time.Hour)
	if o.live(t) != 1 {
		t.Fatalf("version %d is live", o.live(t))
	}
	tell("v1 is live again")
	o.pass(t, 100*time.Hour)

	for _, m := range moments {
		for path, now := range w.said(t, paths, m.at) {
			if diff := cmp.Diff(strings.Split(m.said[path], "\n"), strings.Split(now, "\n")); diff != "" {
				t.Errorf("%s, %s: said then (-) and as of then (+):\n%.1500s", m.name, path, diff)
			}
		}
	}
}

// A route that reads tells the past or refuses it, and docs/as-of.md lists those that refuse.
func TestEveryRouteTellsThePastOrRefusesIt(t *testing.T) {
	o := opens(t)
	o.everything(t)
	raw, err := os.ReadFile("../docs/as-of.md")
	if err != nil {
		t.Fatal(err)
	}
	var refuse, listed []string
	for _, line := range regexp.MustCompile("(?m)^\\| `(GET [^`]*)` \\|$").FindAllStringSubmatch(string(raw), -1) {
		listed = append(listed, line[1])
	}
	for _, r := range o.routes.Table() {
		path, isGet := strings.CutPrefix(r.Pattern, "GET ")
		if r.Permission == access.Open || r.Past {
			if r.Past && !isGet {
				t.Errorf("%s changes something, and is said to tell the past", r.Pattern)
			}
			continue
		}
		foreign := strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/ajax-api/") || strings.HasSuffix(path, "/get-artifact")
		if isGet && !foreign {
			refuse = append(refuse, r.Pattern)
		}
		method := http.MethodPost
		if isGet {
			method = http.MethodGet
		} else if strings.Contains(path, " ") {
			method, path, _ = strings.Cut(path, " ")
		}
		path = wildcard.ReplaceAllString(path, "7") + "?as_of=2016-01-28T02:00:00Z"
		req, err := http.NewRequestWithContext(t.Context(), method, o.URL()+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("wil", password)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("%s as of a moment: %d", r.Pattern, res.StatusCode)
		}
	}
	if diff := cmp.Diff(refuse, listed); diff != "" {
		t.Errorf("routes that refuse the past (-) and those of docs/as-of.md (+):\n%s\nas it must be:\n| `%s` |", diff, strings.Join(refuse, "` |\n| `"))
	}
}
