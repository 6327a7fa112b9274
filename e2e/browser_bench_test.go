// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"

	"flyball/store/storetest"
)

// firstRow notes when the first row of a table was painted, in milliseconds from when the
// page was asked for.
const firstRow = `new MutationObserver((_, o) => { if (document.querySelector("tbody tr")) { o.disconnect(); requestAnimationFrame(() => { window.firstRow = performance.now(); }); } })
	.observe(document, {childList: true, subtree: true});`

// BenchmarkTheFirstRowOfAHundredThousandRuns opens the runs' page as a slow machine on a
// slow line does: a quarter of the processor, 9 Mbit/s, 40 ms away, nothing kept.
func BenchmarkTheFirstRowOfAHundredThousandRuns(b *testing.B) {
	dir := b.TempDir()
	if err := copyFile(storetest.ManyRuns(b), filepath.Join(dir, "flyball.db")); err != nil {
		b.Fatal(err)
	}
	s, err := launch(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.stop)
	r := browses(b, s.url)
	call(r, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	call(r, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
	r.network(network.Conditions{Latency: 40, DownloadThroughput: 9e6 / 8, UploadThroughput: 9e6 / 8})
	call(r, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: firstRow})
	for _, c := range []struct {
		name  string
		asked url.Values
	}{
		{"the newest", nil},
		{"the greatest of a metric", url.Values{"sort": {"metrics.m0 DESC"}}},
		{"of one model, the greatest of a metric", url.Values{"filter": {"params.p0 = 'model1'"}, "sort": {"metrics.m6 DESC"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			asked := url.Values{"experiment": {"many"}}
			maps.Copy(asked, c.asked)
			var waits []float64
			for b.Loop() {
				r.opens("/runs?" + asked.Encode())
				waits = append(waits, until[float64](r, "the first row", `window.firstRow ?? null`))
			}
			slices.Sort(waits)
			b.ReportMetric(waits[len(waits)/2], "median-ms")
			b.ReportMetric(waits[len(waits)*9/10], "p90-ms")
		})
	}
}

// copyFile copies a file that is not there yet.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
