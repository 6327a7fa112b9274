// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"flyball/client"
)

// violation is what axe-core says is wrong, and where.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// looked is what axe-core found: how many rules hold, and what is wrong.
type looked struct {
	Held       int
	Violations []violation
}

// pagesOf are the addresses of every page, as somebody who may see all of them finds
// them: with the newest run, version and prediction.
func (w *town) pagesOf(t *testing.T) []string {
	t.Helper()
	runs, err := w.people["ana"].Runs(t.Context(), client.RunsAsked{Experiment: bike})
	if err != nil || len(runs.Runs) < 2 {
		t.Fatal(runs, err)
	}
	made, err := w.people["chen"].PredictionsBetween(t.Context(), bike, w.now.Add(-24*time.Hour), w.now)
	if err != nil || len(made) == 0 {
		t.Fatal(made, err)
	}
	model := url.Values{"model": {bike}}.Encode()
	return []string{
		"/", "/inbox", "/runs", "/runs?experiment=" + bike, "/run?id=" + runs.Runs[0].ID,
		"/compare?" + url.Values{"ref": {"run:" + runs.Runs[0].ID, "run:" + runs.Runs[1].ID}, "experiment": {bike}}.Encode(),
		"/model?" + model, "/release?" + model, "/monitors?" + model, "/predictions?" + model,
		"/prediction?" + model + "&id=" + string(made[0].ID), "/evidence?" + model, "/data?" + model, "/audit", "/find?q=bike", "/settings",
	}
}

// TestNobodyIsKeptFromAPage looks at each page with axe-core: in both themes, wide and
// narrow, with the data of its charts opened.
func TestNobodyIsKeptFromAPage(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", ".cache", "axe", "axe.js"))
	if err != nil {
		t.Skip("no axe-core: scripts/setup.sh fetches it")
	}
	w := settles(t, 12)
	pages := w.pagesOf(t)
	r := browses(t, w.url)
	looks := func(page, theme string, width int64) {
		r.wears(theme, width)
		r.opens(page)
		r.do("bring axe", chromedp.Evaluate[chromedp.Void](string(source)))
		found, err := chromedp.Run(r.ctx, chromedp.Evaluate[looked](`(() => { for (const d of document.querySelectorAll("details")) d.open = true;
			return axe.run(document, {resultTypes: ["violations"]}).then((x) => ({held: x.passes.length, violations: x.violations})); })()`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("axe on %s: %v", page, err)
		}
		if found.Held < 10 {
			t.Errorf("%s: axe looked at %d rules only", page, found.Held)
		}
		for _, v := range found.Violations {
			t.Errorf("%s, %s, %d wide: %s (%s, %s): %+v", page, theme, width, v.Help, v.ID, v.Impact, v.Nodes)
		}
		if wide := until[float64](r, "the width", `document.documentElement.scrollWidth`); wide > float64(width) {
			t.Errorf("%s is %v wide in a window of %d", page, wide, width)
		}
	}
	for _, theme := range []string{"light", "dark"} {
		looks("/login", theme, 390)
	}
	r.signsIn("adam", password)
	for _, page := range pages {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{1440, 390} {
				looks(page, theme, width)
			}
		}
	}
}

// TestNoPageIsHeavy is about what is sent; what a browser keeps is sent once.
func TestNoPageIsHeavy(t *testing.T) {
	t.Parallel()
	w := settles(t, 12)
	for _, page := range append(w.pagesOf(t), "/login", "/static/style.css", "/static/flyball.js") {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+page, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.tokens["adam"])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || len(body) > 150_000 {
			t.Errorf("%s: %s, %s, %v", page, res.Status, fmt.Sprint(len(body), " bytes"), err)
		}
	}
}
