// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestADossierOpensFromAFileWithoutANetworkAndPrints opens what flyball dossier wrote on a
// machine that has nothing else.
func TestADossierOpensFromAFileWithoutANetworkAndPrints(t *testing.T) {
	t.Parallel()
	w := settles(t, 5)
	dir := t.TempDir()
	made, err := w.people["chen"].PredictionsBetween(t.Context(), bike, w.now.Add(-24*time.Hour), w.now)
	if err != nil || len(made) == 0 {
		t.Fatal(made, err)
	}
	for name, of := range map[string][]string{
		"version.html":    {bike + "@1"},
		"prediction.html": {string(made[0].ID), "--model", bike},
	} {
		if got := w.says(t, "vera", append([]string{"dossier", "-o", filepath.Join(dir, name)}, of...)...); got.code != 0 {
			t.Fatal(got)
		}
	}
	w.stop()
	r := browses(t, "file://"+dir)
	r.network(network.Conditions{Offline: true, DownloadThroughput: -1, UploadThroughput: -1})
	for name, says := range map[string][]string{
		"/version.html":    {bike + "@1", "Intended use", "Vans are sent", "The gate said pass"},
		"/prediction.html": {"equal to the last bit", bike + "@1", "Audit"},
	} {
		r.opens(name)
		r.reads(says...)
		if n := until[int](r, "scripts", `document.querySelectorAll("script, link[href], img[src], iframe").length`); n > 0 {
			t.Errorf("%s needs %d other things", name, n)
		}
		pdf, err := chromedp.Run(r.ctx, chromedp.PrintToPDF())
		if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF")) {
			t.Errorf("%s does not print: %v", name, err)
		}
	}
}
