// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"flyball/data/frame"
	"flyball/examples"
	"flyball/fault"
)

// columns are those of the source file, in order: the history's with the lags.
var columns = []string{"ts", "hr", "weekday", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed", "lag24", "lag168", "cnt"}

// hour is one hour of the history.
type hour struct {
	local time.Time // as the file has it, without a zone
	text  map[string]string
	count float64
}

// history is all hours in their order, with the lags filled in by timestamp from the
// counts of the past.
func history() ([]hour, error) {
	raw, err := examples.Bike.ReadFile("bike-demand/demo_bike_hourly.csv.gz")
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	r, err := frame.OpenBytes("demo_bike_hourly.csv.gz", raw, frame.CSVOptions{Kinds: map[string]frame.Kind{"ts": frame.Text}})
	if err != nil {
		return nil, err
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		return nil, err
	}
	at := make(map[time.Time]float64, f.Rows())
	out := make([]hour, f.Rows())
	for i := range out {
		us, err := frame.ParseTime(f.Column("ts").Text[i])
		if err != nil {
			return nil, err
		}
		h := hour{local: time.UnixMicro(us).UTC(), text: map[string]string{}, count: f.Column("cnt").Num[i]}
		at[h.local] = h.count
		for _, c := range columns {
			if col := f.Column(c); col != nil {
				h.text[c] = col.Format(i)
			}
		}
		for _, lag := range []int{24, 168} {
			if n, ok := at[h.local.Add(-time.Duration(lag)*time.Hour)]; ok {
				h.text["lag"+strconv.Itoa(lag)] = strconv.FormatFloat(n, 'g', -1, 64)
			}
		}
		out[i] = h
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Internal, "the history is empty")
	}
	return out, nil
}

// file is the hours as a gzipped CSV file.
func file(hours []hour) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := csv.NewWriter(z)
	if err := w.Write(columns); err != nil {
		return nil, fmt.Errorf("write the source: %w", err)
	}
	row := make([]string, len(columns))
	for _, h := range hours {
		for k, c := range columns {
			row[k] = h.text[c]
		}
		if err := w.Write(row); err != nil {
			return nil, fmt.Errorf("write the source: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("write the source: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write the source: %w", err)
	}
	return b.Bytes(), nil
}

// zone is where the bikes are hired; the application sends times with it.
var zone = time.FixedZone("", -5*3600)

// moment is when the hour begins, in UTC: what the file calls 14:00 is 14:00 there.
func (h hour) moment() time.Time {
	y, m, d := h.local.Date()
	return time.Date(y, m, d, h.local.Hour(), 0, 0, 0, zone).UTC()
}

// key is the hour as the application names it.
func (h hour) key() string { return h.moment().In(zone).Format("2006-01-02T15:04-07:00") }

// row is the request for the hour: all but the count, which nobody knows yet.
func (h hour) row() (json.RawMessage, error) {
	out := map[string]any{"ts": h.key()}
	for _, c := range columns[1 : len(columns)-1] {
		out[c] = nil
		if x, err := strconv.ParseFloat(h.text[c], 64); err == nil {
			out[c] = x
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return raw, nil
}
