// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"strconv"
	"strings"
	"testing"

	"flyball/data/frame"
)

// On 17 August 2012 the data of bikes in Washington has the same felt temperature at
// every hour, far below the one that was measured. Each of the two values is usual.
func TestADayOfRealDataWithAStuckSensorIsSeen(t *testing.T) {
	file, err := os.Open("../../examples/bike-demand/demo_bike_hourly.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(plain).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	head, all := all[0][1:10], all[1:] // hr … windspeed; ts before, cnt behind
	cols := make([]frame.Column, len(head))
	for k, name := range head {
		v := make([]float64, len(all))
		for i, row := range all {
			if v[i], err = strconv.ParseFloat(row[k+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		cols[k] = frame.NumberColumn(name, v)
	}
	rows := frame.New(cols...)
	year := 0
	for all[year][0] < "2012" {
		year++
	}
	r := New(rows.Fields(), rows.Slice(0, year), Held{})
	l := r.On(rows)
	seen, other := 0, 0
	for i := year; i < len(all); i++ {
		for _, flag := range l.Flags(i, nil) {
			switch {
			case flag != Improbable:
			case strings.HasPrefix(all[i][0], "2012-08-17"):
				seen++
			default:
				other++
			}
		}
	}
	if seen < 20 || other > 40 {
		t.Errorf("%d hours of the day are flagged, and %d of all others", seen, other)
	}
	t.Logf("%d hours of the day, %d of the %d others", seen, other, len(all)-year-24)
}
