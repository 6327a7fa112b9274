// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api"
	"flyball/api/wire"
	"flyball/event"
	"flyball/governance/access"
	"flyball/store"
)

// provider is a company's login that signs everybody in as claims say.
type provider struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any // over those that hold
	nonce  string
	proof  string // the challenge of PKCE
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, claims: map[string]any{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		b := base64.RawURLEncoding
		answer(w, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": b.EncodeToString(key.N.Bytes()), "e": b.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		p.nonce, p.proof = q.Get("nonce"), q.Get("code_challenge")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != p.proof {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token(t)})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// token is a signed ID token (RFC 7519, RS256).
func (p *provider) token(t *testing.T) string {
	claims := map[string]any{
		"iss": p.URL, "sub": "1", "aud": "flyball", "nonce": p.nonce, "email": "ana@example.org", "email_verified": true,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(claims, p.claims)
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Error(err)
	}
	b := base64.RawURLEncoding
	text := b.EncodeToString([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + b.EncodeToString(raw)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Error(err)
	}
	return text + "." + b.EncodeToString(sig)
}

func TestTheCompanysLoginSignsInWhomItVouchesFor(t *testing.T) {
	p := newProvider(t)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	door, err := access.NewDirectory(t.Context(), access.Options{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	mail, password := "ana@example.org", "correct horse battery"
	if _, err := door.AddUser(t.Context(), "local", "ana", access.Change{Mail: &mail, Grants: []access.Grant{{Role: "admin"}}, Password: &password}); err != nil {
		t.Fatal(err)
	}
	routes := api.NewRoutes(door)
	if err := New(routes, Options{
		Statuses:   func(context.Context) ([]wire.Status, error) { return nil, nil },
		LastEvents: func(context.Context, string, int) ([]event.Event, error) { return nil, nil },
		Changed:    never, Logger: slog.New(slog.DiscardHandler),
		Door: door, Company: &Company{Issuer: p.URL, Client: "flyball", Secret: "s", HTTP: p.Client()},
	}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(routes)
	t.Cleanup(s.Close)
	for _, c := range []struct {
		name   string
		claims map[string]any
		status int
		says   string
	}{
		{"a user's address", nil, 200, "Nothing is loaded"},
		{"an address of nobody here", map[string]any{"email": "eve@example.org"}, 401, "No user has the address"},
		{"one that it does not vouch for", map[string]any{"email_verified": false}, 401, "vouches for no mail address"},
		{"a token of another client", map[string]any{"aud": "others"}, 401, "did not sign you in"},
		{"a token of another sign-in", map[string]any{"nonce": "n"}, 401, "belongs to another sign-in"},
		{"a token that is over", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, 401, "did not sign you in"},
	} {
		p.claims = c.claims
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Jar: jar, Transport: http.DefaultTransport}
		res, err := browser.Get(s.URL + "/login/company")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		signed := res.Request.URL.Path == "/"
		if res.StatusCode != c.status || signed != (c.status == 200) || c.status != 200 && !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %d at %s: %.600s", c.name, res.StatusCode, res.Request.URL, text)
		}
	}
	res, err := http.Get(s.URL + "/login/callback?code=c&state=s")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an answer that nobody asked for: %s", res.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestTheCompanysLoginLeadsBackToTheServersOwnAddress whatever name the request has.
func TestTheCompanysLoginLeadsBackToTheServersOwnAddress(t *testing.T) {
	p := newProvider(t)
	c := &Company{Issuer: p.URL, Client: "flyball", HTTP: p.Client(), Server: "https://flyball.example.org"}
	r := httptest.NewRequest(http.MethodGet, "http://evil.example.org/login/company", nil)
	got, _, err := c.config(t.Context(), r)
	if err != nil || got.RedirectURL != "https://flyball.example.org/login/callback" {
		t.Errorf("got %+v, %v", got, err)
	}
}
