// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/chart"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawings are one of each, and their odd cases.
func drawings() map[string]template.HTML {
	grid := make([]float64, 101)
	low, high := make([]float64, 101), make([]float64, 101)
	for i := range grid {
		grid[i] = float64(i) / 100
		low[i], high[i] = math.Sqrt(grid[i]), math.Pow(grid[i], 0.3)
	}
	var groups, better []chart.Group
	for i := range 10 {
		said := float64(i+1) / 13
		groups = append(groups, chart.Group{Said: said, Was: said * 0.9, Low: said*0.9 - 0.03, High: said*0.9 + 0.03})
		better = append(better, chart.Group{Said: said, Was: said * 1.02, Low: said*1.02 - 0.03, High: said*1.02 + 0.03})
	}
	depth, at := chart.Scale([]float64{3, 4, 5, 8})
	rate, rateAt := chart.Scale([]float64{0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.5})
	auc, aucAt := chart.Linear(0.802, 0.834)
	agency, agencyAt := chart.Words([]string{"without", "with"})
	axes := []chart.Axis{{"agency", agency}, {"depth", depth}, {"learning rate", rate}, {"AUC", auc}}
	var runs []chart.Path
	for i, v := range []float64{0.834, 0.83, 0.829, 0.828, 0.827, 0.81, 0.802} {
		runs = append(runs, chart.Path{At: []float64{agencyAt([]string{"with", "without"}[i%2]), at(float64(3 + i%3)), rateAt(0.001 * float64(i+1)), aucAt(v)}, Rank: i})
	}
	runs = append(runs, chart.Path{At: []float64{agencyAt("else"), at(4), math.NaN(), aucAt(0.82)}, Rank: 9})
	many := make([]float64, 10_000)
	for i := range many {
		many[i] = math.Sin(float64(i) / 500)
	}
	count := make([]float64, len(many))
	for i := range count {
		count[i] = float64(i)
	}
	gaps := []float64{1, 0.5, math.NaN(), 0.3, math.NaN(), 0.2, 0.1}
	nan := math.NaN()
	return map[string]template.HTML{
		"roc":            chart.ROC("roc", []chart.Series{{"linear 0.780", chart.Base, grid, grid}, {"v12 0.815", chart.Live, grid, low}, {"v13 0.834", chart.Candidate, grid, high}}),
		"calibration":    chart.Calibration("cal", []chart.Reliability{{"v12, 0.017", chart.Live, groups}, {"v13, 0.027", chart.Candidate, better}}),
		"verdict":        chart.Verdict("vd", chart.Difference{Name: "Difference in AUC, v13 minus v12", Value: 0.018, Low: 0.01, Top: 0.027, Digits: 3}),
		"verdict_margin": chart.Verdict("vd", chart.Difference{Name: "Log loss <&>", Value: -0.001, Low: -0.004, Top: 0.002, Margin: 0.005, LowerIsBetter: true, Digits: 4}),
		"interval":       chart.Interval("iv", chart.Difference{Name: "City Hotel", Value: 0.016, Low: 0.006, Top: 0.5, Digits: 3}, -0.1, 0.14),
		"parallel":       chart.Parallel("pc", axes, runs, "AUC runs from 0.802 to 0.834."),
		"curve":          chart.Curve("m", "loss", []chart.Series{{"a", chart.Candidate, []float64{0, 1, 2, 3, 4, 5, 6}, gaps}, {"b", chart.Other, []float64{0, 6}, []float64{0.9, 0.4}}}),
		"curve_long":     chart.Curve("m", "sine", []chart.Series{{"a", chart.Other, count, many}}),
		"curve_large":    chart.Curve("m", "bytes", []chart.Series{{"a", chart.Other, []float64{0, 2e6, 3e6}, []float64{1.2e9, -3.4e9, 5e30}}}),
		"spreads":        chart.Spreads("sp", "Errors", []chart.Spread{{"v12", chart.Live, -12, -4, 0.5, 5, 30}, {"v13", chart.Candidate, -8, -3, -1, 2, 9}}),
		"parallel_names": chart.Parallel("pc", long(9), []chart.Path{{At: []float64{0, 1, 0, 1, 0, 1, 0, 1, 0}}}, "Names that are long."),
		"curve_constant": chart.Curve("m", "one", []chart.Series{{"a", chart.Other, []float64{5}, []float64{7}}}),
		"score": chart.Score("sc", "mae", []chart.Window{
			{"3 Mar", 1, 30, 28, 32, 31, 29, 33}, {"4 Mar", 0.9, nan, nan, nan, 30, nan, nan}, {"5 Mar", 0.6, 33, nan, nan, nan, nan, nan}, {"6 Mar", 0.2, 36, 34, 38, 39, 33, 45}, {"7 Mar", 0, 35, 33, 37, nan, nan, nan},
		}, []chart.Event{{2, "v2 <live>"}, {9, "never"}}),
		"score_one":         chart.Score("sc", "auc", []chart.Window{{"3 Mar", 0, 0.8, 0.7, 0.9, nan, nan, nan}}, nil),
		"sparkline":         chart.Sparkline("sp", "drift of adr", []float64{0.1, nan, 0.05, 0.3}, 0.2),
		"sparkline_zero":    chart.Sparkline("sp", "drift of adr", []float64{0}, 0),
		"traffic":           chart.Traffic("tr", "v1", "v2", 0.25),
		"traffic_shadow":    chart.Traffic("tr", "v1", "v2", 0),
		"verdict_nothing":   chart.Verdict("vd", chart.Difference{Name: "no difference", Digits: 3}),
		"calibration_empty": chart.Calibration("cal", []chart.Reliability{{"nothing", chart.Live, nil}}),
	}
}

// long are axes whose names leave no room.
func long(n int) []chart.Axis {
	var out []chart.Axis
	for i := range n {
		ticks, _ := chart.Linear(-1e12, 1e12)
		out = append(out, chart.Axis{Name: "a name that is much too long " + strconv.Itoa(i), Ticks: ticks})
	}
	return out
}

func TestADrawingIsTheSameForTheSameData(t *testing.T) {
	for name, got := range drawings() {
		if strings.HasSuffix(name, "_long") {
			continue // its golden file would tell nobody anything
		}
		path := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(path, []byte(got+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != string(got)+"\n" {
			t.Errorf("%s has changed (%v): look at it, and run go test ./chart -update", name, err)
		}
	}
}

var (
	number = regexp.MustCompile(`-?\d+(\.\d+)?`)
	box    = regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
	texts  = regexp.MustCompile(`<text x="([^"]+)" y="([^"]+)"(?: class="([^"]*)")?>([^<]*)</text>`)
)

func TestADrawingIsWellFormedAndHoldsAllItsText(t *testing.T) {
	for name, got := range drawings() {
		d := xml.NewDecoder(strings.NewReader(string(got)))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if strings.Contains(string(got), "NaN") || strings.Contains(string(got), "Inf") || strings.Contains(string(got), "style=") {
			t.Errorf("%s has what no drawing may have", name)
		}
		m := box.FindStringSubmatch(string(got))
		width, _ := strconv.ParseFloat(m[1], 64)
		height, _ := strconv.ParseFloat(m[2], 64)
		for _, x := range texts.FindAllStringSubmatch(string(got), -1) {
			inside(t, name, x, width, height)
		}
		if !number.MatchString(string(got)) || strings.Contains(string(got), "<title id=\"\"") {
			t.Errorf("%s has no title or no numbers", name)
		}
	}
}

// inside measures a text with 0.62 em a character, which a wide face takes.
func inside(t *testing.T, name string, x []string, width, height float64) {
	t.Helper()
	left, _ := strconv.ParseFloat(x[1], 64)
	y, _ := strconv.ParseFloat(x[2], 64)
	long := float64(utf8.RuneCountInString(x[4])) * 11 * 0.62
	classes := " " + x[3] + " "
	switch {
	case strings.Contains(classes, " e "):
		left -= long
	case strings.Contains(classes, " m "):
		left -= long / 2
	}
	if left < -1 || left+long > width+1 || y < 8 || y > height {
		t.Errorf("%s: the text %q lies at %.0f…%.0f, %.0f and leaves %.0f × %.0f", name, x[4], left, left+long, y, width, height)
	}
}

func TestWhatCannotBeDrawnIsNoDrawing(t *testing.T) {
	nan := math.NaN()
	for name, got := range map[string]template.HTML{
		"a verdict without an interval": chart.Verdict("v", chart.Difference{Value: 1, Low: nan, Top: 2}),
		"an interval without a value":   chart.Interval("i", chart.Difference{Value: nan}, 0, 1),
		"runs without an axis":          chart.Parallel("p", nil, []chart.Path{{}}, ""),
		"a spread without a median":     chart.Spreads("s", "m", []chart.Spread{{"a", chart.Live, 0, 1, nan, 3, 4}}),
		"a curve of infinities":         chart.Curve("c", "m", []chart.Series{{"a", chart.Live, []float64{0, 1}, []float64{-math.MaxFloat64, math.MaxFloat64}}}),
		"a score without windows":       chart.Score("s", "m", nil, nil),
		"a score without values":        chart.Score("s", "m", []chart.Window{{"a", 0, nan, nan, nan, nan, nan, nan}}, nil),
		"a sparkline without values":    chart.Sparkline("s", "m", []float64{nan}, 1),
		"traffic of no share":           chart.Traffic("t", "a", "b", nan),
		"a curve without points":        chart.Curve("c", "m", []chart.Series{{"a", chart.Live, []float64{1}, []float64{nan}}}),
	} {
		if got != "" {
			t.Errorf("%s was drawn: %s", name, got)
		}
	}
}

func TestASettingIsLaidOutAsItsValuesAsk(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		v, at  float64
		ticks  int
	}{
		{"few values evenly", []float64{1, 10, 1000}, 10, 0.5, 3},
		{"one value in the middle", []float64{7, 7}, 7, 0.5, 1},
		{"many values linearly", []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}, 2, 0.25, 5},
		{"many orders of magnitude by their logarithm", []float64{1, 2, 3, 4, 5, 6, 7, 8, 100}, 10, 0.5, 3},
		{"nothing nowhere", []float64{math.NaN()}, 1, math.NaN(), 0},
	} {
		ticks, at := chart.Scale(c.values)
		if got := at(c.v); len(ticks) != c.ticks || math.Abs(got-c.at) > 1e-9 || math.IsNaN(got) != math.IsNaN(c.at) {
			t.Errorf("%s: got %d ticks and %v at %v, want %d and %v", c.name, len(ticks), got, c.v, c.ticks, c.at)
		}
	}
}
