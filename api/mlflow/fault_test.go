// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
)

func TestHowFaultsAreAnswered(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		body   string
		retry  string
	}{
		{"invalid, without advice that MLflow does not give", fault.New(fault.Invalid, "no").Do("try"), 400, `{"error_code":"INVALID_PARAMETER_VALUE","message":"no","sqlstate":"KAM00","error_class":"INVALID_PARAMETER_VALUE"}`, ""},
		{"not found", fault.New(fault.NotFound, "no"), 404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no","sqlstate":"KAM00","error_class":"RESOURCE_NOT_FOUND"}`, ""},
		{"taken", fault.New(fault.Conflict, "no"), 400, `{"error_code":"RESOURCE_ALREADY_EXISTS","message":"no","sqlstate":"KAM00","error_class":"RESOURCE_ALREADY_EXISTS"}`, ""},
		{"denied", fault.New(fault.Denied, "no").Do("ask"), 403, `{"error_code":"PERMISSION_DENIED","message":"no; ask"}`, ""},
		{"unknown caller", fault.New(fault.Unauthenticated, "no"), 401, `{"error_code":"UNAUTHENTICATED","message":"no"}`, ""},
		{"refused by a rule", fault.New(fault.Refused, "no").Do("try"), 400, `{"error_code":"INVALID_STATE","message":"no; try","sqlstate":"KAM00","error_class":"INVALID_PARAMETER_VALUE"}`, ""},
		{"something comes first", fault.New(fault.Waiting, "no"), 400, `{"error_code":"INVALID_STATE","message":"no","sqlstate":"KAM00","error_class":"INVALID_PARAMETER_VALUE"}`, ""},
		{"too large", fault.New(fault.TooLarge, "no"), 413, `{"error_code":"BAD_REQUEST","message":"no"}`, ""},
		{"overload", fault.New(fault.Exhausted, "no"), 429, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"no"}`, "1"},
		{"the store does not answer", fault.Wrap(errors.New("secret"), fault.Unavailable, "no"), 429, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"no"}`, "2"},
		{"wrapped on the way", fmt.Errorf("secret: %w", fault.New(fault.NotFound, "no")), 404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no","sqlstate":"KAM00","error_class":"RESOURCE_NOT_FOUND"}`, ""},
		{"a defect", fault.Wrap(errors.New("secret"), fault.Internal, "secret"), 500, `{"error_code":"INTERNAL_ERROR","message":"The server failed; its log says why"}`, ""},
		{"what nobody thought of", errors.New("secret"), 500, `{"error_code":"INTERNAL_ERROR","message":"The server failed; its log says why"}`, ""},
		{"the caller hung up", context.Canceled, 499, `{"error_code":"CANCELLED","message":"The caller went away"}`, ""},
		{"MLflow's own", failure(501, "NOT_IMPLEMENTED", "no"), 501, `{"error_code":"NOT_IMPLEMENTED","message":"no"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			bare(api.NewRoutes(nil), Options{}).refuse(w, httptest.NewRequest(http.MethodPost, "/", nil), c.err)
			if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.body || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("%d %s, Retry-After %q; want %d %s, %q", w.Code, w.Body, w.Header().Get("Retry-After"), c.status, c.body, c.retry)
			}
		})
	}
}

func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	w := httptest.NewRecorder()
	bare(api.NewRoutes(nil), Options{}).answer(w, httptest.NewRequest(http.MethodGet, "/", nil), math.NaN())
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "INTERNAL_ERROR") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestARouteWithoutPermissionDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		name string
		add  func(f *face)
	}{
		{"route", func(f *face) { f.route("", http.MethodGet, "x", nil) }},
		{"raw", func(f *face) { f.raw("", http.MethodGet, "x", nil) }},
		{"page", func(f *face) { f.page("", http.MethodGet, "/x", nil) }},
		{"twice", func(f *face) {
			f.raw(access.Read, http.MethodGet, "x", func(http.ResponseWriter, *http.Request) {})
			f.raw(access.Read, http.MethodGet, "x", func(http.ResponseWriter, *http.Request) {})
		}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s starts", c.name)
				}
			}()
			c.add(bare(api.NewRoutes(nil), Options{}))
		}()
	}
}

// TestOverload has requests wait that nobody answers.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := api.NewRoutes(nil)
		f := bare(mux, Options{AtWork: 2, Wait: 3 * time.Second})
		begun, goOn := make(chan bool), make(chan bool)
		f.route(access.Track, http.MethodPost, "slow", func(context.Context, *args) (any, error) {
			begun <- true
			<-goOn
			return nil, nil
		})
		f.mount()
		ask := func(ctx context.Context) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/2.0/mlflow/slow", strings.NewReader("{}"))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			return w
		}
		first := make(chan int, 2)
		for range 2 {
			go func() { first <- ask(t.Context()).Code }()
			<-begun
		}
		from := time.Now()
		w := ask(t.Context())
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "REQUEST_LIMIT_EXCEEDED") {
			t.Errorf("one too many: %d %s %v", w.Code, w.Body, w.Header())
		}
		if waited := time.Since(from); waited != 3*time.Second {
			t.Errorf("it waited %v for a place", waited)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if w := ask(gone); w.Code != 499 {
			t.Errorf("a caller who hung up: %d", w.Code)
		}
		patient := make(chan int)
		go func() { patient <- ask(t.Context()).Code }()
		synctest.Wait()
		goOn <- true
		<-begun
		goOn <- true
		goOn <- true
		if a, b, c := <-first, <-first, <-patient; a != 200 || b != 200 || c != 200 {
			t.Errorf("those who had a place or waited: %d, %d, %d", a, b, c)
		}
	})
}
