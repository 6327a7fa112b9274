// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"math"

	"flyball/chart"
	"flyball/data/dataset"
	"flyball/experiment/compare"
	"flyball/unit"
)

// charts draws the curves of a pair: the reference first, this subject on top.
func charts(id string, p compare.Pair) []figure {
	this, that := p.Curves[p.Name], p.Curves[p.Against]
	if this == nil || that == nil {
		return nil
	}
	var out []figure
	if len(this.ROC) > 0 && len(that.ROC) > 0 {
		out = append(out, roc(id, p, that, this))
	}
	if len(this.Calibration) > 0 && len(that.Calibration) > 0 {
		out = append(out, calibration(id, p, that, this))
	}
	if len(this.Errors) > 0 && len(this.Errors) == len(that.Errors) {
		out = append(out, errorsOf(id, p, that, this))
	}
	return out
}

// errorsOf draws how far predictions of a number lie off.
func errorsOf(id string, p compare.Pair, that, this *compare.Curves) figure {
	rows := []chart.Spread{spreadOf(p.Against, chart.Live, that.Errors), spreadOf(p.Name, chart.Candidate, this.Errors)}
	digits := unit.Digits(max(math.Abs(rows[1].Quarter), math.Abs(rows[1].Quarter3)))
	f := figure{
		Finding: fmt.Sprintf("Half of what %s predicts is off by %s to %s.", p.Name, unit.Signed(rows[1].Quarter, digits), unit.Signed(rows[1].Quarter3, digits)),
		How:     "Prediction less truth: bar the middle half, line from 1 % to 99 %, mark the median. Narrow and around zero is better.",
		SVG:     chart.Spreads(id+"e", "Errors of "+p.Against+" and "+p.Name, rows),
		Data:    grid{Name: "Quantiles of prediction less truth", Head: []string{"share of rows below", p.Against, p.Name}},
	}
	for i, q := range this.Errors {
		f.Data.Rows = append(f.Data.Rows, []string{unit.Fixed(q.Share*100, 0) + "\u00a0%", figureOf(that.Errors[i].Value, digits), figureOf(q.Value, digits)})
	}
	return f
}

// spreadOf takes the quantiles that are drawn; one that is missing is not a number.
func spreadOf(name string, role chart.Role, quantiles []compare.Quantile) chart.Spread {
	at := func(share float64) float64 {
		for _, q := range quantiles {
			if q.Share == share {
				return q.Value
			}
		}
		return math.NaN()
	}
	return chart.Spread{Name: name, Role: role, Low: at(0.01), Quarter: at(0.25), Median: at(0.5), Quarter3: at(0.75), High: at(0.99)}
}

// thresholds is what deciding above another threshold would do.
func thresholds(p compare.Pair) *grid {
	this, that := p.Curves[p.Name], p.Curves[p.Against]
	if this == nil || that == nil || len(this.Thresholds) == 0 || len(this.Thresholds) != len(that.Thresholds) {
		return nil
	}
	g := &grid{Name: "What deciding above another threshold would do", Fold: "Deciding above another threshold", Head: []string{"yes above"}}
	for _, name := range []string{p.Against, p.Name} {
		g.Head = append(g.Head, name+" yes", name+" precision", name+" recall", name+" right")
	}
	for i, t := range this.Thresholds {
		cells := []string{unit.Fixed(t.Above, 2)}
		for _, x := range []compare.Threshold{that.Thresholds[i], t} {
			precision := "–"
			if x.Yes > 0 {
				precision = unit.Fixed(x.Precision, 3)
			}
			cells = append(cells, unit.Fixed(x.Yes, 3), precision, unit.Fixed(x.Recall, 3), unit.Fixed(x.Accuracy, 3))
		}
		g.Rows = append(g.Rows, cells)
	}
	return g
}

// examples are the rows that the two see most differently.
func examples(p compare.Pair) *grid {
	if p.Where == nil || len(p.Where.Examples) == 0 {
		return nil
	}
	g := &grid{Name: "Rows that they see most differently", Fold: "Rows that they see most differently", Head: []string{"row", "truth", p.Against, p.Name}}
	most := 0.0
	for _, e := range p.Where.Examples {
		most = max(most, math.Abs(e.Reference), math.Abs(e.Candidate))
	}
	digits := unit.Digits(most)
	for _, e := range p.Where.Examples {
		truth := figureOf(e.Label, digits)
		if p.Kind == dataset.Binary {
			truth = map[bool]string{true: "yes", false: "no"}[e.Label > 0.5]
		}
		g.Rows = append(g.Rows, []string{clip(e.Key, 60), truth, figureOf(e.Reference, digits), figureOf(e.Candidate, digits)})
	}
	return g
}

func roc(id string, p compare.Pair, that, this *compare.Curves) figure {
	line := func(name string, role chart.Role, c *compare.Curves) chart.Series {
		s := chart.Series{Name: name, Role: role}
		for _, x := range c.ROC {
			s.X, s.Y = append(s.X, x.FalsePositives), append(s.Y, x.TruePositives)
		}
		return s
	}
	f := figure{
		Finding: "True against false positives.", How: "Further up and left is better; the dashed line is chance.",
		SVG:  chart.ROC(id+"r", []chart.Series{line(p.Against, chart.Live, that), line(p.Name, chart.Candidate, this)}),
		Data: grid{Name: "ROC, every tenth point", Head: []string{"false positive rate", p.Against, p.Name}},
	}
	for i := 0; i < min(len(that.ROC), len(this.ROC)); i += 10 {
		f.Data.Rows = append(f.Data.Rows, []string{unit.Fixed(that.ROC[i].FalsePositives, 2), unit.Fixed(that.ROC[i].TruePositives, 3), unit.Fixed(this.ROC[i].TruePositives, 3)})
	}
	return f
}

func calibration(id string, p compare.Pair, that, this *compare.Curves) figure {
	groups := func(name string, role chart.Role, c *compare.Curves) chart.Reliability {
		r := chart.Reliability{Name: name, Role: role}
		for _, t := range c.Calibration {
			r.Groups = append(r.Groups, chart.Group{Said: t.Said, Was: t.Was, Low: t.Low, High: t.High})
		}
		return r
	}
	f := figure{
		Finding: "What it said and what was.", How: "Points on the diagonal are right on average.",
		SVG:  chart.Calibration(id+"c", []chart.Reliability{groups(p.Against, chart.Live, that), groups(p.Name, chart.Candidate, this)}),
		Data: grid{Name: "Calibration by tenth", Head: []string{"tenth", p.Against + " said", p.Against + " was", p.Name + " said", p.Name + " was"}},
	}
	for i := range min(len(that.Calibration), len(this.Calibration)) {
		a, b := that.Calibration[i], this.Calibration[i]
		f.Data.Rows = append(f.Data.Rows, []string{fmt.Sprint(i + 1), unit.Fixed(a.Said, 3), unit.Fixed(a.Was, 3), unit.Fixed(b.Said, 3), unit.Fixed(b.Was, 3)})
	}
	return f
}
