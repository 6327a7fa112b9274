// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"flyball/api/oip/inference"
	"flyball/api/wire"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/model/registry"
)

const password = "correct horse battery"

// guarded is a server with ana, an admin, and a user for each role, named after it, by
// whose tokens it can be asked.
func guarded(t *testing.T) (a *App, ana *client.Client, tokens map[string]string) {
	t.Helper()
	cfg := config(t)
	cfg.GRPC = "127.0.0.1:0"
	a = start(t, cfg)
	open := client.New(a.URL(), "", http.DefaultClient)
	p := password
	if _, err := open.AddUser(t.Context(), "ana", wire.User{Grants: []access.Grant{{Role: "admin"}}, Password: &p}); err != nil {
		t.Fatal(err)
	}
	ana = open.As("ana", password)
	tokens = map[string]string{}
	for _, r := range access.Roles() {
		if _, err := ana.AddUser(t.Context(), r.Name, wire.User{Grants: []access.Grant{{Role: r.Name}}}); err != nil {
			t.Fatal(err)
		}
		k, err := ana.AddToken(t.Context(), wire.Token{User: r.Name})
		if err != nil {
			t.Fatal(err)
		}
		tokens[r.Name] = k.Secret
	}
	return a, ana, tokens
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// asked asks a route by its pattern and returns the status. It does not wait for a
// stream to end.
func asked(t *testing.T, a *App, pattern, token string) int {
	t.Helper()
	verb, path, found := strings.Cut(pattern, " ")
	if !found {
		verb, path = http.MethodPost, pattern
	}
	path = wildcard.ReplaceAllString(strings.ReplaceAll(path, "{$}", ""), "7")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, verb, a.URL()+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestNoRouteAnswersWithoutItsPermission(t *testing.T) {
	a, _, tokens := guarded(t)
	table := a.routes.Table()
	if len(table) < 150 {
		t.Fatalf("the table has %d routes", len(table))
	}
	away := func(status int) bool { // a page leads to the login; wrong tokens are soon too many
		return status == http.StatusUnauthorized || status == http.StatusSeeOther || status == http.StatusTooManyRequests
	}
	for _, r := range table {
		if r.Permission == access.Open {
			continue
		}
		for name, token := range map[string]string{"no": "", "a wrong": tokens["viewer"][:20] + strings.Repeat("x", 40)} {
			if got := asked(t, a, r.Pattern, token); !away(got) {
				t.Errorf("%s with %s token: %d", r.Pattern, name, got)
			}
		}
		for _, role := range access.Roles() {
			may := r.Permission == access.Known || slices.Contains(role.May, r.Permission)
			if may && role.Name != "viewer" {
				continue // whoever may really does it
			}
			got := asked(t, a, r.Pattern, tokens[role.Name])
			if may && (got == http.StatusForbidden || away(got)) || !may && got != http.StatusForbidden {
				t.Errorf("%s (%s) as %s: %d", r.Pattern, r.Permission, role.Name, got)
			}
		}
	}
}

func TestARoleForOneModelShowsAndChangesThatOneAlone(t *testing.T) {
	a, ana, _ := guarded(t)
	if _, err := ana.AddUser(t.Context(), "bo", wire.User{Grants: []access.Grant{{Role: "ml-engineer", Model: "hotel"}}}); err != nil {
		t.Fatal(err)
	}
	k, err := ana.AddToken(t.Context(), wire.Token{User: "bo"})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]int{
		"GET /v1/models":                    http.StatusOK,
		"GET /v1/models/hotel":              http.StatusNotFound,
		"GET /v1/models/bikes":              http.StatusForbidden,
		"POST /v1/models/bikes/rollback":    http.StatusForbidden,
		"POST /v1/models/bikes@7/predict":   http.StatusForbidden,
		"POST /models/bikes/invocations":    http.StatusForbidden,
		"GET /v2/models/bikes/config":       http.StatusForbidden,
		"GET /v1/events":                    http.StatusForbidden,
		"GET /runs":                         http.StatusForbidden,
		"POST /api/2.0/mlflow/runs/create":  http.StatusForbidden,
		"GET /v1/users":                     http.StatusForbidden,
		"GET /v1/me":                        http.StatusOK,
		"GET /v1/models/hotel/versions/1/x": http.StatusNotFound,
	} {
		if got := asked(t, a, pattern, k.Secret); got != want {
			t.Errorf("%s: got %d, want %d", pattern, got, want)
		}
	}
	bikes := "apiVersion: flyball/v1\nkind: Model\nname: bikes\npredict: {column: y, kind: binary}\ndata: {source: a.csv}\npipeline: {inputs: {x: number}}\n"
	_, err = client.New(a.URL(), k.Secret, nil).Apply(t.Context(), wire.ApplyRequest{Name: "bikes.yaml", File: bikes, Data: map[string]registry.DataFile{}, DryRun: true})
	if !fault.Is(err, fault.Denied) {
		t.Errorf("bikes applied: %v", err)
	}
}

func TestABrowserSignsInActsAndSignsOut(t *testing.T) {
	a, _, _ := guarded(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	t.Cleanup(c.CloseIdleConnections)
	page := func(res *http.Response, err error) (int, string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Request.URL.Path, string(raw)
	}
	if status, at, text := page(c.Get(a.URL() + "/runs?sort=name")); status != 200 || at != "/login" || !strings.Contains(text, `value="/runs?sort=name"`) {
		t.Errorf("signed out: %d at %s", status, at)
	}
	form := url.Values{"user": {"ana"}, "password": {"wrong"}, "next": {"/runs"}}
	if status, at, text := page(c.PostForm(a.URL()+"/login", form)); status != http.StatusUnauthorized || at != "/login" || !strings.Contains(text, "do not match") {
		t.Errorf("a wrong password: %d at %s", status, at)
	}
	form.Set("password", password)
	form.Set("next", "https://elsewhere.example/")
	if status, at, _ := page(c.PostForm(a.URL()+"/login", form)); status != 200 || at != "/" {
		t.Errorf("signed in: %d at %s", status, at)
	}
	if status, _, text := page(c.Get(a.URL() + "/settings")); status != 200 || !strings.Contains(text, "You are <b>ana</b>: admin.") || !strings.Contains(text, "data-scientist") {
		t.Errorf("settings: %d\n%.3000s", status, text)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/v1/tokens", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _, _ := page(c.Do(req)); status != http.StatusForbidden {
		t.Errorf("another site in ana's name: %d", status)
	}
	if status, at, _ := page(c.PostForm(a.URL()+"/logout", nil)); status != 200 || at != "/login" {
		t.Errorf("signed out: %d at %s", status, at)
	}
	if _, at, _ := page(c.Get(a.URL() + "/")); at != "/login" {
		t.Errorf("after that: at %s", at)
	}
}

func TestGRPCAsksWhoAsks(t *testing.T) {
	a, _, tokens := guarded(t)
	conn, err := grpc.NewClient(a.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := inference.NewGRPCInferenceServiceClient(conn)
	for _, x := range []struct {
		token string
		want  codes.Code
	}{{"", codes.Unauthenticated}, {"fly_wrong", codes.Unauthenticated}, {tokens["auditor"], codes.PermissionDenied}, {tokens["app"], codes.NotFound}} {
		ctx := t.Context()
		if x.token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+x.token)
		}
		_, err := c.ModelInfer(ctx, &inference.ModelInferRequest{ModelName: "hotel"})
		if status.Code(err) != x.want {
			t.Errorf("infer: got %v, want %v", err, x.want)
		}
		stream, err := c.ModelStreamInfer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&inference.ModelInferRequest{ModelName: "hotel"}) // the answer tells
		if _, err = stream.Recv(); x.want != codes.NotFound && status.Code(err) != x.want {
			t.Errorf("stream: got %v, want %v", err, x.want)
		}
	}
	if _, err := c.ServerLive(t.Context(), &inference.ServerLiveRequest{}); err != nil {
		t.Errorf("is it there: %v", err)
	}
}

func TestWithUsersOthersMayReachTheServer(t *testing.T) {
	cfg := config(t)
	a := start(t, cfg)
	p := password
	if _, err := client.New(a.URL(), "", nil).AddUser(t.Context(), "ana", wire.User{Grants: []access.Grant{{Role: "admin"}}, Password: &p}); err != nil {
		t.Fatal(err)
	}
	other := config(t)
	other.Listen = "0.0.0.0:0"
	db := a.store
	door, err := access.NewDirectory(t.Context(), access.Options{Store: db})
	if err != nil || !door.Guarded() {
		t.Fatal(err)
	}
	b := &App{cfg: other, door: door}
	if err := b.ofHere("0.0.0.0:0", ""); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAStreamEndsWithTheTokenThatBeganIt(t *testing.T) {
	a, ana, _ := guarded(t)
	for _, path := range []string{"/v1/events", "/stream"} {
		k, err := ana.AddToken(t.Context(), wire.Token{User: "viewer"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+k.Secret)
		req.Header.Set("Accept", "text/event-stream")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ana.EndToken(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK { // until its next beat
			t.Errorf("%s: %s, %v", path, res.Status, err)
		}
		_ = res.Body.Close()
	}
}
