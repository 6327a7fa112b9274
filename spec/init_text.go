// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"math"
	gopath "path"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/training"
	"flyball/unit"
)

// write is the file, with the reasons as comments.
func (g *guess) write() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# A first model file for %s (%s rows), made from what its columns hold.", plainly(gopath.Base(slash(g.source))), grouped(g.all.Rows()))
	line("# Every line may be changed; `flyball apply --explain` prints the defaults of those that are not here.")
	line("apiVersion: %s\nkind: %s\nname: %s", APIVersion, KindModel, modelName(g.source))
	line("about: %s", word("Predicts "+plainly(g.target)+"; say here what for."))
	line("risk: low")
	g.writePredict(line)
	g.writeData(line)
	g.writePipeline(line)
	line("\ntrain:\n  with: builtin/gbdt\n  settings: {trees: 200, depth: 4, learning_rate: 0.1}\n  seed: 7\n  limits: {time: 10m}")
	g.writeGate(line)
	g.writeRest(line)
	return b.String()
}

func (g *guess) writePredict(line func(string, ...any)) {
	line("\npredict:\n  column: %s\n  kind: %s  # %s", word(g.target), g.kind, g.why)
	if g.id != "" {
		line("  id: %s  # it does not repeat", word(g.id))
	} else {
		line("  # id: the caller's key of a row; no column has a value of its own in every row")
	}
	if g.time == "" {
		line("  # time: when the prediction is asked; no column holds a time in every row, so the order of the file stands for it")
	} else {
		why := "the rows are not in its order: make sure that it is when the prediction is asked"
		if g.ordered {
			why = "when the prediction is asked; the rows are in its order"
		}
		line("  time: %s  # %s", word(g.time), why)
	}
	switch {
	case g.dueAt != "":
		line("  truth: {due_at: %s, known_at: %s}  # a guess: the second is never after the first", word(g.dueAt), word(g.knownAt))
	case g.time != "":
		line("  # truth: {within: 30d}  # how long after its time the truth of a row is due; without it, at once")
		if len(g.later) > 0 {
			line("  # these come after %s, so one may say when the truth is due (truth: {due_at: …}): %s", plainly(g.time), plainly(strings.Join(g.later, ", ")))
		}
	}
	if days := g.span.Hours() / 24; g.time != "" && days >= 20 && float64(g.rows.Rows()) >= 2*days {
		line("  block: {each: 1d}  # rows of one day are alike, so intervals resample days")
	}
	var never []string
	for _, l := range g.left {
		if reason := g.reasons[l.Column]; reason != "" {
			never = append(never, word(l.Column))
		}
	}
	if len(never) > 0 {
		line("  never: [%s]  # they know the answer", strings.Join(never, ", "))
	}
}

// window is the length of the test rows: four weeks, or a quarter of what there is.
func (g *guess) window() unit.Duration {
	const day = 24 * time.Hour
	return unit.Duration(min(28*day, max(day, g.span/4/day*day)))
}

func (g *guess) writeData(line func(string, ...any)) {
	n := g.all.Rows()
	line("\ndata:\n  source: %s", word(g.source))
	test := fmt.Sprintf("{window: %s, at_least: %d}", g.window(), min(300, max(1, n/5)))
	if g.time == "" {
		test = fmt.Sprintf("{at_least: %d}", max(1, n/5))
	}
	line("  train: all\n  test: %s", test)
	line("  checks:\n    - {rows: {at_least: %d}}", max(1, n/2))
	if g.id != "" {
		line("    - {unique: [%s]}", word(g.id))
	}
}

func (g *guess) writePipeline(line func(string, ...any)) {
	line("\npipeline:\n  inputs:")
	for _, f := range g.inputs {
		line("    %s: %s", word(f.Name), f.Kind)
	}
	if len(g.left) > 0 {
		line("    # left out:")
	}
	for _, l := range g.left {
		line("    #   %s: %s", plainly(l.Column), plainly(l.Reason))
	}
	var steps []string
	least := max(2, min(50, g.rows.Rows()/100))
	if len(g.hot) > 0 {
		steps = append(steps, fmt.Sprintf("{op: one_hot, in: [%s], at_least: %d}", words(g.hot), least))
	}
	for _, name := range g.ranked {
		steps = append(steps, fmt.Sprintf("{op: ordinal, in: %s, at_least: %d, by: frequency}", word(name), least))
	}
	if slices.ContainsFunc(g.inputs, func(f frame.Field) bool { return f.Kind == frame.Time }) {
		parts := "weekday"
		if g.clock {
			parts = "hour, weekday"
		}
		steps = append(steps, fmt.Sprintf("{op: datetime, in: %s, parts: [%s]}", word(g.time), parts))
	}
	if len(steps) == 0 {
		line("  steps: []  # trees take numbers as they are; a null is missing")
		return
	}
	line("  steps:")
	for _, s := range steps {
		line("    - %s", s)
	}
}

func words(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = word(n)
	}
	return strings.Join(out, ", ")
}

func (g *guess) writeGate(line func(string, ...any)) {
	name := primary(g.kind, training.Settings{})
	margin, why := 0.005, "against the live version: not worse by more than this"
	if g.kind == dataset.Regression {
		margin, why = g.margin(), "not worse by more than this: say what matters to you"
	}
	line("\ngate:\n  baseline: builtin/constant\n  metrics:")
	line("    - {name: %s, require: noninferior, margin: %s}  # %s", name, strconv.FormatFloat(margin, 'f', -1, 64), why)
	line("    - {name: %s, against: baseline, require: superior}", name)
	if len(g.cuts) > 0 {
		line("  slices: [%s]", words(g.cuts))
	}
	line("  reproduce: required")
}

// margin is a hundredth of the mean distance from the median, to two digits.
func (g *guess) margin() float64 {
	sorted := slices.Sorted(slices.Values(g.y))
	middle, sum := sorted[len(sorted)/2], 0.0
	for _, y := range sorted {
		sum += math.Abs(y - middle)
	}
	x, err := strconv.ParseFloat(strconv.FormatFloat(sum/float64(len(sorted))/100, 'g', 2, 64), 64)
	if err != nil || math.IsInf(x, 0) {
		return 0
	}
	return x
}

func (g *guess) writeRest(line func(string, ...any)) {
	line("\nrelease:\n  shadow: {for: 3d, at_least: 200}\n  canary: [{share: 5%%, for: 1d}, {share: 25%%, for: 2d}, {share: 100%%}]\n  bake: {for: 14d}")
	line("  back_if: {errors: {above: 1%%}, loss: worse}")
	if g.kind != dataset.Multiclass {
		mean := 0.0
		for _, y := range g.y {
			mean += y / float64(len(g.y))
		}
		line("  fallback: {value: %s}  # the mean, when no version can answer", strconv.FormatFloat(mean, 'g', 3, 64))
	}
	every, least := g.rhythm()
	line("\nwatch:\n  every: %s\n  false_alarms: 1 per month\n  at_least: %d  # rows before a window is judged", every, least)
	if g.span > 330*24*time.Hour {
		line("  season: 1y")
	}
	line("  score: {metric: %s}  # page_if: worse by 30%% would call someone", primary(g.kind, training.Settings{}))
	line("\nretrain:\n  when: [schedule, drift, score]\n  every: 28d\n  wait: 14d\n  budget: 4 per month\n  hold_after: rollback")
	line(`
# No version goes live without these four. Take the # away and name the people:
# duties:
#   feed:    {owner: …, backup: …, within: 4h}
#   monitor: {owner: …, backup: …, within: 30m}
#   retrain: {owner: …, backup: …, within: 1d}
#   fix:     {owner: …, backup: …, within: 15m}`)
}

// rhythm is a window in which enough rows come, and how many must.
func (g *guess) rhythm() (every unit.Duration, atLeast int) {
	if g.time == "" || g.span == 0 {
		return day, 200
	}
	perDay := float64(g.all.Rows()) / max(1, g.span.Hours()/24)
	for _, days := range []float64{1, 7, 28} {
		if rows := perDay * days; rows >= 20 || days == 28 {
			return unit.Duration(days) * day, int(min(200, max(10, rows/2)))
		}
	}
	return day, 200
}

// modelName makes a name that the registry takes of a file's name.
func modelName(source string) string {
	base, _, _ := strings.Cut(gopath.Base(slash(source)), ".")
	var b strings.Builder
	for _, c := range strings.ToLower(base) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' && b.Len() > 0:
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	if name = strings.Trim(name[:min(len(name), 60)], "-"); name == "" {
		return "model"
	}
	return name
}

func slash(s string) string { return strings.ReplaceAll(s, `\`, "/") }

// plainly makes a text fit for a comment: one line.
func plainly(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffd {
			return ' '
		}
		return c
	}, s)
}

// grouped prints a count with commas: 17,379.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
