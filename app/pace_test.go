// SPDX-License-Identifier: Apache-2.0

package app

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

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
)

// sent is the status, the Retry-After and the text of what a route answers.
func sent(t *testing.T, a *App, verb, path, token string) (int, string, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), verb, a.URL()+path, strings.NewReader("{}"))
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
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Retry-After"), string(raw)
}

// infer asks for the live model over gRPC by a token, and returns how that ended; load has
// a model loaded instead.
func infer(t *testing.T, a *App, token string, load bool) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient(a.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := inference.NewGRPCInferenceServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	if load {
		_, err = c.RepositoryModelLoad(ctx, &inference.RepositoryModelLoadRequest{ModelName: "hotel"})
	} else {
		_, err = c.ModelInfer(ctx, &inference.ModelInferRequest{ModelName: "hotel"})
	}
	return status.Code(err)
}

func TestWrongTokensFromAnAddressAreToldToWaitOnEveryFace(t *testing.T) {
	a, _, tokens := guarded(t)
	for range 25 {
		if got, _, _ := sent(t, a, http.MethodGet, "/v1/models", "fly_wrong"); got != http.StatusUnauthorized {
			t.Fatalf("a wrong token: %d", got)
		}
	}
	for path, word := range map[string]string{
		"/v1/models": `"title":"exhausted"`, "/api/2.0/mlflow/experiments/search": "REQUEST_LIMIT_EXCEEDED", "/runs": "Too often", "/metrics": "too many",
		"/v2/models/hotel": `"error":"too many`,
	} {
		verb := http.MethodGet
		if strings.HasPrefix(path, "/api") {
			verb = http.MethodPost
		}
		got, after, text := sent(t, a, verb, path, "fly_wrong")
		if n, err := strconv.Atoi(after); got != http.StatusTooManyRequests || err != nil || n < 1 || !strings.Contains(text, word) {
			t.Errorf("%s: %d, again in %q: %.200s", path, got, after, text)
		}
	}
	if got := infer(t, a, "fly_wrong", false); got != codes.ResourceExhausted {
		t.Errorf("gRPC: %s", got)
	}
	if got, _, text := sent(t, a, http.MethodGet, "/v1/models", tokens["viewer"]); got != http.StatusOK {
		t.Errorf("a good token from the same address: %d %s", got, text)
	}
}

func TestOneCallerMakesNoMoreChangesThanTheBound(t *testing.T) {
	cfg := config(t)
	cfg.GRPC, cfg.Changes = "127.0.0.1:0", 3
	a := start(t, cfg)
	p := password
	if _, err := client.New(a.URL(), "", http.DefaultClient).AddUser(t.Context(), "ana", wire.User{Grants: []access.Grant{{Role: "admin"}, {Role: "ml-engineer"}}, Password: &p}); err != nil {
		t.Fatal(err)
	}
	ana := client.New(a.URL(), "", http.DefaultClient).As("ana", password)
	k, err := ana.AddToken(t.Context(), wire.Token{User: "ana"}) // one change of ana's password
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, _, text := sent(t, a, http.MethodPost, "/v1/models/hotel/hold", k.Secret); got == http.StatusTooManyRequests {
			t.Fatalf("too soon: %s", text)
		}
	}
	got, after, text := sent(t, a, http.MethodPost, "/v1/models/hotel/hold", k.Secret)
	if n, err := strconv.Atoi(after); got != http.StatusTooManyRequests || err != nil || n < 1 || n > 20 || !strings.Contains(text, "ana makes more changes") {
		t.Errorf("the fourth: %d, again in %q: %s", got, after, text)
	}
	if got := infer(t, a, k.Secret, true); got != codes.ResourceExhausted {
		t.Errorf("a model loaded over gRPC: %s", got)
	}
	if got := infer(t, a, k.Secret, false); got != codes.NotFound {
		t.Errorf("a prediction over gRPC: %s", got)
	}
	for _, path := range []string{"/v1/models/hotel/predict", "/api/2.0/mlflow/runs/create"} {
		for range 5 {
			if got, _, text := sent(t, a, http.MethodPost, path, k.Secret); got == http.StatusTooManyRequests {
				t.Fatalf("%s: %s", path, text)
			}
		}
	}
	if got, _, _ := sent(t, a, http.MethodGet, "/v1/users", k.Secret); got != http.StatusOK {
		t.Errorf("reading: %d", got)
	}
	if _, err := ana.AddToken(t.Context(), wire.Token{User: "ana"}); err != nil && fault.Is(err, fault.Exhausted) {
		t.Errorf("ana's password is counted with the token: %v", err)
	}
}
