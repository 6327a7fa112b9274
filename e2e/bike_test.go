// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/data/frame"
	"flyball/examples"
	"flyball/model/registry"
)

const (
	bike   = "bike-demand"
	source = "bikes_2011.csv.gz" // as the model file names it
	begin  = "2012-01-01T05:00Z" // midnight where the bikes are
)

// hour is one hour of the bikes' history.
type hour struct {
	at    time.Time // when it begins
	local string    // as the source file has it
	num   map[string]float64
	count float64
}

var inputs = []string{"hr", "weekday", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed", "lag24", "lag168"}

// history is the hours of 2011 and those of 2012.
func history(t *testing.T) (past, coming []hour) {
	t.Helper()
	raw, err := examples.Bike.ReadFile("bike-demand/demo_bike_hourly.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := frame.OpenBytes("demo_bike_hourly.csv.gz", raw, frame.CSVOptions{Kinds: map[string]frame.Kind{"ts": frame.Text}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[time.Time]float64{}
	for i := range f.Rows() {
		us, err := frame.ParseTime(f.Column("ts").Text[i])
		if err != nil {
			t.Fatal(err)
		}
		local := time.UnixMicro(us).UTC()
		h := hour{at: local.Add(5 * time.Hour), local: f.Column("ts").Text[i], num: map[string]float64{}, count: f.Column("cnt").Num[i]}
		counts[local] = h.count
		for _, c := range inputs {
			if col := f.Column(c); col != nil && !col.Missing(i) {
				h.num[c] = col.Num[i]
			}
		}
		for name, back := range map[string]time.Duration{"lag24": 24 * time.Hour, "lag168": 168 * time.Hour} {
			if n, ok := counts[local.Add(-back)]; ok {
				h.num[name] = n
			}
		}
		if local.Year() == 2011 {
			past = append(past, h)
		} else {
			coming = append(coming, h)
		}
	}
	return past, coming
}

// key is the hour as the caller names it.
func (h hour) key() string { return h.at.Add(-5*time.Hour).Format("2006-01-02T15:04") + "-05:00" }

// row is the request for the hour; without names left out or changed by with.
func (h hour) row(with map[string]any) json.RawMessage {
	out := map[string]any{"ts": h.key()}
	for _, c := range inputs {
		out[c] = nil
		if x, ok := h.num[c]; ok {
			out[c] = x
		}
	}
	for k, v := range with {
		out[k] = v
		if v == absent {
			delete(out, k)
		}
	}
	raw, _ := json.Marshal(out) // a map of numbers and text
	return raw
}

// absent as a value leaves a column out of a row.
const absent = "(absent)"

func (h hour) label() wire.Label {
	return wire.Label{Key: h.key(), Value: json.RawMessage(strconv.FormatFloat(h.count, 'g', -1, 64)), At: h.at.Add(time.Hour).Format(time.RFC3339)}
}

// csvFile is the hours as the source file that the model file names.
func csvFile(hours []hour) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := csv.NewWriter(z)
	_ = w.Write(slices.Concat([]string{"ts"}, inputs, []string{"cnt"})) // into memory: nothing can fail
	for _, h := range hours {
		row := []string{h.local}
		for _, c := range inputs {
			text := ""
			if x, ok := h.num[c]; ok {
				text = strconv.FormatFloat(x, 'g', -1, 64)
			}
			row = append(row, text)
		}
		_ = w.Write(append(row, strconv.FormatFloat(h.count, 'g', -1, 64)))
	}
	w.Flush()
	_ = z.Close()
	return b.Bytes()
}

// modelFile is the example's model file with changes, each of which must be possible.
func modelFile(t *testing.T, changes ...[2]string) string {
	t.Helper()
	raw, err := examples.Bike.ReadFile("bike-demand/model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := string(raw)
	for _, c := range changes {
		if !strings.Contains(f, c[0]) {
			t.Fatalf("the example's model file has no %q", c[0])
		}
		f = strings.Replace(f, c[0], c[1], 1)
	}
	return f
}

// apply uploads the source and applies the model file.
func apply(ctx context.Context, s *client.Client, file string, data []byte) error {
	up, err := s.Upload(ctx, bytes.NewReader(data))
	if err != nil {
		return err
	}
	_, err = s.Apply(ctx, wire.ApplyRequest{
		Name: "model.yaml", File: file,
		Data: map[string]registry.DataFile{source: {Digest: blob.Digest(up.Digest), Size: up.Size}},
	})
	return err
}

// live applies the model file, trains its first version and takes it live.
func live(t *testing.T, s *server, file string, past []hour) {
	t.Helper()
	ctx := t.Context()
	if err := apply(ctx, s.Client, file, csvFile(past)); err != nil {
		t.Fatal(err)
	}
	now, err := s.Clock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(ctx, now.Now); err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(ctx, bike)
	if err != nil {
		t.Fatal(err)
	}
	if st.Live != 1 {
		jobs, err := s.Jobs(ctx, bike)
		t.Fatalf("version 1 is not live: %v %s %v", st.Cells, jobText(jobs), err)
	}
}

func jobText(jobs any) string { return fmt.Sprintf("%+v", jobs) }
