// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/serving/prediction"
)

var update = flag.Bool("update", false, "write docs/alarms.md anew; with FLYBALL_LONG=1, or the table is of few months")

// market is a stream of many columns on which nothing changes: every fifth a text, the
// numbers with a part that is common to the day and half of it to the next, some values
// missing, and the first two going together.
type market struct {
	r      *rand.Rand
	d      int
	common []float64 // by column; and last of the truth
}

const marketRows = 72 // a day

func newMarket(seed uint64, d int) *market {
	return &market{r: rand.New(rand.NewPCG(seed, 11)), d: d, common: make([]float64, d+1)}
}

func isText(c int) bool { return c%5 == 4 }

// change is what is changed in a row of a market, drawn by r.
type change func(r *rand.Rand, row *marketRow)

type marketRow struct {
	num          []float64 // NaN: missing
	text         []string
	score, truth float64
	apart        bool // the first two columns do not go together
}

// day hands each row of a day to take; the row is used again.
func (m *market) day(what change, take func(i int, row *marketRow)) {
	for c := range m.common {
		m.common[c] = 0.5*m.common[c] + 0.13*m.r.NormFloat64()
	}
	row := &marketRow{num: make([]float64, m.d), text: make([]string, m.d)}
	for i := range marketRows {
		row.apart = false
		for c := range m.d {
			switch {
			case isText(c):
				row.text[c] = string(rune('a' + int(6*math.Pow(m.r.Float64(), 1.5))))
			default:
				row.num[c] = m.common[c]*float64(c%2) + m.r.NormFloat64()
				if c%7 == 3 && m.r.Float64() < 0.02 {
					row.num[c] = math.NaN()
				}
			}
		}
		free := row.num[1]
		row.num[1] = 0.6*row.num[0] + 0.8*free
		row.score = 10 + row.num[0]
		row.truth = row.score + m.common[m.d] + m.r.NormFloat64()
		if what != nil {
			what(m.r, row)
		}
		if row.apart {
			row.num[1] = free
		}
		take(i, row)
	}
}

func (m *market) profile(t *testing.T, p Policy, from time.Time, days int) *Profile {
	t.Helper()
	var at []int64
	var scores []float64
	num, text := make([][]float64, m.d), make([][]string, m.d)
	r := Residuals{}
	for day := range days {
		m.day(nil, func(i int, row *marketRow) {
			when := from.AddDate(0, 0, day).Add(time.Duration(i) * 20 * time.Minute).UnixMicro()
			at, scores = append(at, when), append(scores, row.score)
			for c := range m.d {
				num[c], text[c] = append(num[c], row.num[c]), append(text[c], row.text[c])
			}
			if day >= days-56 {
				r.Truth, r.Scores, r.Time = append(r.Truth, row.truth), append(r.Scores, row.score), append(r.Time, when)
			}
		})
	}
	cols := []frame.Column{frame.TimeColumn("at", at)}
	var fields []frame.Field
	for c := range m.d {
		f := frame.Field{Name: marketColumn(c), Kind: frame.Number}
		if isText(c) {
			f.Kind = frame.Text
			cols = append(cols, frame.TextColumn(f.Name, text[c], nil))
		} else {
			cols = append(cols, frame.NumberColumn(f.Name, num[c]))
		}
		fields = append(fields, f)
	}
	out, err := NewProfile(p, simTask, fields, frame.New(cols...), scores, r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func marketColumn(c int) string { return fmt.Sprintf("x%03d", c) }

// months steps through so many months of the market, a day at a time, and gives what
// opened.
func (m *market) months(in Input, from time.Time, months int, what change) []Finding {
	var out []Finding
	in.State = Start(in.Policy, from)
	var rows []prediction.Joined
	for day := range 30 * months {
		m.day(what, func(i int, row *marketRow) {
			rows = append(rows, m.joined(row, from.AddDate(0, 0, day).Add(time.Duration(i)*20*time.Minute)))
		})
		keep, _ := slices.BinarySearchFunc(rows, in.State.From, func(j prediction.Joined, t time.Time) int { return j.Time.Compare(t) })
		rows = slices.Clone(rows[keep:])
		in.Rows, in.Now = rows, from.AddDate(0, 0, day+1)
		got := Step(in)
		in.State = got.State
		for _, f := range got.Findings {
			if f.Closed.IsZero() && f.Severity != "note" {
				out = append(out, f)
			}
		}
	}
	return out
}

func (m *market) joined(row *marketRow, at time.Time) prediction.Joined {
	raw := make([]byte, 0, 16*m.d)
	for c := range m.d {
		if raw = append(raw, ','); c == 0 {
			raw[0] = '{'
		}
		raw = append(append(append(raw, '"'), marketColumn(c)...), `":`...)
		switch {
		case isText(c):
			raw = strconv.AppendQuote(raw, row.text[c])
		case math.IsNaN(row.num[c]):
			raw = append(raw, "null"...)
		default:
			raw = strconv.AppendFloat(raw, row.num[c], 'f', 4, 64)
		}
	}
	return prediction.Joined{
		Record: prediction.Record{Model: "m", Version: 3, Arm: prediction.Live, Time: at, Due: at.Add(time.Hour), Row: append(raw, '}'), Scores: []float64{row.score}},
		Label:  &prediction.Label{Value: strconv.FormatFloat(row.truth, 'g', -1, 64)},
	}
}

// trial is a change that ought to be seen, and what of.
type trial struct {
	name string
	kind string
	of   string // what the finding's text names
	what change
	sure bool // it must be seen
}

func trials() []trial {
	shift := func(by float64) change {
		return func(_ *rand.Rand, row *marketRow) { row.num[2] += by }
	}
	return []trial{
		{"a number's mean by 0.1 sd", Drift, "x002", shift(0.1), false},
		{"a number's mean by 0.3 sd", Drift, "x002", shift(0.3), true},
		{"a number's mean by 1 sd", Drift, "x002", shift(1), true},
		{"missing values from 2 % to 10 %", Quality, "x003 missing", func(r *rand.Rand, row *marketRow) {
			if r.Float64() < 0.08 {
				row.num[3] = math.NaN()
			}
		}, true},
		{"an unseen word in 5 % of rows", Quality, "x004 unseen", func(r *rand.Rand, row *marketRow) {
			if r.Float64() < 0.05 {
				row.text[4] = "new"
			}
		}, false},
		{"two columns no longer go together (0.6 to 0)", Drift, "x000 and x001", func(_ *rand.Rand, row *marketRow) { row.apart = true }, true},
	}
}

// seenIn is how often a change was told within a month, and after how many days.
type seenIn struct {
	found, tried int
	days         []float64
}

func (s seenIn) String() string {
	if s.found == 0 {
		return fmt.Sprintf("0 of %d", s.tried)
	}
	slices.Sort(s.days)
	return fmt.Sprintf("%d of %d, %.0f d", s.found, s.tried, s.days[len(s.days)/2])
}

// outcome is what was told of the markets of one size.
type outcome struct {
	alarms map[string]int // by kind, and "" for all
	power  map[string]*seenIn
}

func TestFalseAlarmsStayWithinTheBudgetWhateverTheNumberOfColumns(t *testing.T) {
	sizes, total, each := []int{5, 30}, 6, 6
	if os.Getenv("FLYBALL_LONG") != "" {
		sizes, total, each = []int{5, 30, 200}, 200, 20
	}
	outcomes := make([]outcome, len(sizes))
	t.Run("sizes", func(t *testing.T) {
		for k, d := range sizes {
			t.Run(strconv.Itoa(d), func(t *testing.T) {
				t.Parallel()
				o := watchMarkets(t, d, total, each)
				outcomes[k] = o
				t.Logf("%v alarms in %d months; %v", o.alarms, total, o.power)
				if n := o.alarms[""]; n > total {
					t.Errorf("got %d false alarms in %d months, want at most one a month: %v", n, total, o.alarms)
				}
				for _, c := range trials() {
					if s := o.power[c.name]; c.sure && s.found*10 < 9*s.tried {
						t.Errorf("%s was told in %s", c.name, s)
					}
				}
			})
		}
	})
	if *update {
		if err := os.WriteFile("../docs/alarms.md", []byte(alarmsPage(sizes, total, outcomes)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// watchMarkets makes a reference for each so many months, and watches as many months
// without a change after it, and one with each change.
func watchMarkets(t *testing.T, d, total, each int) outcome {
	o := outcome{map[string]int{}, map[string]*seenIn{}}
	for _, c := range trials() {
		o.power[c.name] = &seenIn{}
	}
	policy := simPolicy()
	policy.AtLeast = 100
	from := date(2022, 1, 1)
	for seed := range uint64(total / each) {
		m := newMarket(1000*uint64(d)+seed, d)
		in := Input{Policy: policy, Task: simTask, Profile: m.profile(t, policy, from.AddDate(0, 0, -280), 280), Model: "m", Version: 3}
		for _, f := range m.months(in, from, each, nil) {
			o.alarms[f.Kind]++
			o.alarms[""]++
		}
		for _, c := range trials() {
			if !c.sure && os.Getenv("FLYBALL_LONG") == "" {
				continue
			}
			s := o.power[c.name]
			s.tried++
			for _, f := range m.months(in, from, 1, c.what) {
				if f.Kind == c.kind && strings.Contains(f.Text, c.of) {
					s.found++
					s.days = append(s.days, f.Opened.Sub(from).Hours()/24)
					break
				}
			}
		}
	}
	return o
}

func alarmsPage(sizes []int, total int, outcomes []outcome) string {
	var b strings.Builder
	line := func(first string, cell func(o *outcome) string) {
		b.WriteString("| " + first + " |")
		for k := range outcomes {
			b.WriteString(" " + cell(&outcomes[k]) + " |")
		}
		b.WriteByte('\n')
	}
	rule := "|---|" + strings.Repeat("---|", len(sizes)) + "\n"
	fmt.Fprintf(&b, `# False alarms, and what is seen

*Made by %[2]sFLYBALL_LONG=1 go test ./monitoring -run FalseAlarmsStay -update -timeout 2h%[2]s. A stream on which nothing changes: 72 rows a day, every
fifth column a text, the numbers' days alike (half of a day's part stays to the next), some values missing, two columns going together. The reference
is 280 days; the budget is one false alarm a month for the model, whatever the number of columns.*

In %[1]d months, alarms a month by number of columns:

`, total, "`")
	head := func(first string) {
		b.WriteString("| " + first + " |")
		for _, d := range sizes {
			b.WriteString(" " + strconv.Itoa(d) + " |")
		}
		b.WriteByte('\n')
	}
	head("columns")
	b.WriteString(rule)
	perMonth := func(kind string) func(*outcome) string {
		return func(o *outcome) string {
			return strconv.FormatFloat(float64(o.alarms[kind])/float64(total), 'f', 3, 64)
		}
	}
	line("all", perMonth(""))
	line("quality", perMonth(Quality))
	line("drift", perMonth(Drift))
	line("score", perMonth(Score))
	b.WriteString("\nWhat was told within a month of a change in one column, and after how many days (median), by number of columns:\n\n")
	head("change")
	b.WriteString(rule)
	for _, c := range trials() {
		line(c.name, func(o *outcome) string { return o.power[c.name].String() })
	}
	b.WriteString("\nA drift window needs 500 rows, here a week, which is why nothing of drift is told sooner. Fewer rows a day, more columns or a smaller budget see\nless. `flyball drift MODEL` prints the same of a model of yours.\n")
	return b.String()
}
