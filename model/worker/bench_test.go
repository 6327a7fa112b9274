// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/data/frame"
	"flyball/model"
)

// BenchmarkWorker is one row from each of 64 callers at once, with and without sharing
// requests.
func BenchmarkWorker(b *testing.B) {
	for _, m := range []struct {
		name, file, python string
		columns            int
	}{
		{"nothing", "testdata/odd.py", plainPython(b), 1},
		{"logistic", "testdata/logistic.py", pythonOf(b, "venv"), 30},
	} {
		for _, most := range []int{1, 256} {
			b.Run(fmt.Sprintf("%s/batch=%d", m.name, most), func(b *testing.B) {
				code, err := os.ReadFile(m.file)
				if err != nil {
					b.Fatal(err)
				}
				var cols []frame.Column
				about := File{Outputs: 1, Kind: "binary"}
				for i := range m.columns {
					name := "x"
					if i > 0 {
						name = fmt.Sprint("x", i)
					}
					cols = append(cols, frame.NumberColumn(name, []float64{float64(i)}))
					about.Inputs = append(about.Inputs, Input{Field: cols[i].Field})
				}
				raw, err := about.Encode()
				if err != nil {
					b.Fatal(err)
				}
				reg := prometheus.NewRegistry()
				h := host(b, Options{Python: m.python, MaxBatch: most, Metrics: reg})
				s := open(b, h, files{FileName: string(raw), Folder + "flyball_model.py": string(code)})
				if err := s.Warm(b.Context()); err != nil {
					b.Fatal(err)
				}
				ask(b, s, frame.New(cols...))
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
				b.ReportMetric(float64(b.N)/max(1, counted(b, reg, "flyball_worker_requests_total")), "calls/batch")
			})
		}
	}
}

func ask(b *testing.B, s model.Scorer, rows *frame.Frame) {
	b.ReportAllocs()
	b.ResetTimer()
	var (
		wg   sync.WaitGroup
		left atomic.Int64
	)
	left.Store(int64(b.N))
	for range 64 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := s.Score(b.Context(), rows); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}
