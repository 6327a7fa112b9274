// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
	"flyball/unit"
)

// picking is which predictions a command is asked for.
type picking struct {
	q                      prediction.Query
	id, from, to, answered string
}

func (p *picking) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.q.Key, "key", "", "only this key of the caller")
	f.StringVar(&p.id, "id", "", "only this prediction")
	f.StringVar(&p.from, "from", "", "event time at or after this date or time, or since so long (7d, 6h)")
	f.StringVar(&p.to, "to", "", "event time before this date or time")
	f.StringVar(&p.answered, "since", "", "answered at or after this date or time, or in the last so long")
	f.IntVar(&p.q.Version, "version", 0, "answered by this version")
	f.StringVar(&p.q.Arm, "arm", "", "answered as live, candidate, baseline or fallback")
	f.StringVar(&p.q.Decision, "decision", "", "with this decision")
	f.StringVar(&p.q.Flag, "flag", "", "with this flag: unseen:agent, unseen, fallback")
	f.StringVar(&p.q.Truth, "truth", "", "known or waiting: with a label, or without")
	c.RegisterFlagCompletionFunc("arm", cobra.FixedCompletions([]string{"live", "candidate", "baseline", "fallback"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("truth", cobra.FixedCompletions([]string{"known", "waiting"}, cobra.ShellCompDirectiveNoFileComp))
}

// query is what is asked for of a model; lengths of time count back from the server's
// clock.
func (e *env) query(ctx context.Context, model string, p *picking) (prediction.Query, error) {
	q := p.q
	q.Model, q.ID = model, ident.PredictionID(p.id)
	for text, at := range map[string]*time.Time{p.from: &q.From, p.to: &q.To, p.answered: &q.Since} {
		if text == "" {
			continue
		}
		if d, err := unit.ParseDuration(text); err == nil {
			clock, err := e.client().Clock(ctx)
			if err != nil {
				return q, err
			}
			*at = clock.Now.Add(-d.D())
			continue
		}
		us, err := frame.ParseTime(text)
		if err != nil {
			return q, fault.New(fault.Invalid, "%q is neither a date, a time nor a length of time", text).Do("write 2016-05-03, 2016-05-03T12:00:00Z or 7d")
		}
		*at = time.UnixMicro(us).UTC()
	}
	return q, nil
}

func predictionsCommand(e *env) *cobra.Command {
	c := searchPredictions(e)
	c.Use, c.Short = "predictions [MODEL]", "Predictions with their truths, newest last"
	c.Long = "Predictions of a model, of the prediction log: what was asked, who answered what, and the truth where\nit is known. `flyball predictions MODEL` is `flyball predictions search MODEL`."
	c.Example = "  flyball predictions hotel-cancel --last 20\n  flyball predictions hotel-cancel --key b-17 -o json\n  flyball predictions show b-17\n  flyball predictions tail hotel-cancel\n  flyball predictions export hotel-cancel --from 30d --out predictions.parquet"
	c.AddCommand(searchPredictions(e), showPrediction(e), tailPredictions(e), exportPredictions(e))
	return c
}

func searchPredictions(e *env) *cobra.Command {
	var p picking
	c := &cobra.Command{
		Use: "search [MODEL]", Short: "The newest predictions that are picked", Args: cobra.MaximumNArgs(1),
		Example: "  flyball predictions search hotel-cancel --arm candidate --flag unseen:agent\n  flyball predictions search hotel-cancel --truth known --from 7d --last 100 -o csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			q, err := e.query(cmd.Context(), model, &p)
			if err != nil {
				return err
			}
			ps, err := e.client().Predictions(cmd.Context(), q)
			if err != nil {
				return err
			}
			t := table{head: predictionHead, short: 7}
			for i := range ps {
				t.add(predictionCells(&ps[i])...)
			}
			return e.show(ps, t)
		},
	}
	p.add(c)
	c.Flags().IntVar(&p.q.Last, "last", 20, "the newest so many, at most 10,000")
	return c
}

var predictionHead = []string{"time", "key", "version", "arm", "score", "truth", "decision", "flags", "id"}

func predictionCells(p *prediction.Joined) []string {
	truth := "-"
	if p.Label != nil {
		truth = p.Label.Value
	}
	scores := make([]string, len(p.Scores))
	for i, s := range p.Scores {
		scores[i] = number(s)
	}
	return []string{when(p.Time), p.Key, fmt.Sprint(p.Version), p.Arm, strings.Join(scores, " "), truth, p.Decision, strings.Join(p.Flags, " "), string(p.ID)}
}

func showPrediction(e *env) *cobra.Command {
	var model string
	c := &cobra.Command{
		Use: "show ID|KEY", Short: "One prediction with everything", Args: cobra.ExactArgs(1),
		Example: "  flyball predictions show b-17\n  flyball predictions show 0199f1c2-7b1e-7c3a-9d2f-0a4b5c6d7e8f -o json\n  flyball predictions show b-17 -m hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := e.prediction(cmd.Context(), args[0], model)
			if err != nil {
				return err
			}
			t := table{head: []string{"what", "value"}}
			for i, cell := range predictionCells(&j) {
				t.add(predictionHead[i], cell)
			}
			t.add("model", j.Model)
			t.add("answered", when(j.At))
			t.add("truth due", when(j.Due))
			t.add("generation", fmt.Sprint(j.Generation))
			t.add("latency", j.Latency.String())
			for _, o := range j.Others {
				said := o.Error
				if said == "" {
					said = strings.Trim(fmt.Sprint(o.Scores), "[]")
				}
				t.add(fmt.Sprintf("%s v%d said", o.Role, o.Version), said)
			}
			t.add("row", string(j.Row))
			return e.show(j, t)
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "", "of this model; else of whichever has it")
	return c
}

// prediction finds one by id or by key, the newest of a key, in one model or in all.
func (e *env) prediction(ctx context.Context, name, model string) (prediction.Joined, error) {
	models := []string{model}
	if model == "" {
		all, err := e.client().Statuses(ctx)
		if err != nil {
			return prediction.Joined{}, err
		}
		models = models[:0]
		for _, s := range all {
			models = append(models, s.Model)
		}
	}
	var found []prediction.Joined
	for _, m := range models {
		for _, q := range []prediction.Query{{Model: m, ID: ident.PredictionID(name), Last: 1}, {Model: m, Key: name, Last: 1}} {
			got, err := e.client().Predictions(ctx, q)
			if err != nil {
				return prediction.Joined{}, err
			}
			found = append(found, got...)
		}
	}
	switch {
	case len(found) == 0:
		return prediction.Joined{}, fault.New(fault.NotFound, "no prediction has the id or key %q", name).Do("see flyball predictions MODEL")
	case len(found) > 1:
		return prediction.Joined{}, fault.New(fault.Invalid, "%s and %s both have a prediction %q", found[0].Model, found[1].Model, name).Do("say which with --model")
	}
	return found[0], nil
}

func tailPredictions(e *env) *cobra.Command {
	var p picking
	c := &cobra.Command{
		Use: "tail [MODEL]", Short: "Predictions as they are answered, until Ctrl-C", Args: cobra.MaximumNArgs(1),
		Example: "  flyball predictions tail hotel-cancel\n  flyball predictions tail hotel-cancel --flag fallback -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			q, err := e.query(cmd.Context(), model, &p)
			if err != nil {
				return err
			}
			return e.tail(cmd.Context(), q)
		},
	}
	p.add(c)
	c.Flags().IntVar(&p.q.Last, "last", 10, "begin with the newest so many")
	return c
}

// tail asks every second for what was answered since. Rows are told apart by their ids,
// as several are answered in one moment.
func (e *env) tail(ctx context.Context, q prediction.Query) error {
	seen := map[ident.PredictionID]bool{}
	for tick := time.NewTicker(time.Second); ; {
		ps, err := e.client().Predictions(ctx, q)
		if err != nil {
			return err
		}
		slices.SortFunc(ps, func(a, b prediction.Joined) int { return a.At.Compare(b.At) })
		for i := range ps {
			if seen[ps[i].ID] {
				continue
			}
			seen[ps[i].ID] = true
			if e.format == "json" {
				err = json.NewEncoder(e.out).Encode(ps[i])
			} else {
				_, err = fmt.Fprintln(e.out, tidy(predictionCells(&ps[i])))
			}
			if err != nil {
				return err
			}
		}
		if len(ps) > 0 {
			q.Since = ps[len(ps)-1].At
			for id := range seen { // only those of that moment can come again
				if !slices.ContainsFunc(ps, func(j prediction.Joined) bool { return j.ID == id && !j.At.Before(q.Since) }) {
					delete(seen, id)
				}
			}
		}
		q.Last = 10_000
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func exportPredictions(e *env) *cobra.Command {
	var p picking
	var out string
	c := &cobra.Command{
		Use: "export [MODEL]", Short: "Write predictions with their truths to a file", Args: cobra.MaximumNArgs(1),
		Long:    "Writes all that is picked: .jsonl as the API gives it; .csv and .parquet with a column for each figure and\nthe request's row as JSON. The sealed files of the server can be read as they stand, too:\ndocs/formats/predictions.md.",
		Example: "  flyball predictions export hotel-cancel --from 30d --out predictions.parquet\n  flyball predictions export hotel-cancel --truth known --out - | head",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			q, err := e.query(cmd.Context(), model, &p)
			if err != nil {
				return err
			}
			return e.exportPredictions(cmd.Context(), q, out)
		},
	}
	p.add(c)
	c.Flags().StringVar(&out, "out", "", "file that ends in .jsonl, .csv or .parquet; - is standard output, as .jsonl")
	return c
}

func (e *env) exportPredictions(ctx context.Context, q prediction.Query, name string) error {
	if name == "-" {
		lines := json.NewEncoder(e.out)
		return e.client().ExportPredictions(ctx, q, func(j prediction.Joined) error { return lines.Encode(j) })
	}
	if ext := filepath.Ext(name); !slices.Contains([]string{".jsonl", ".csv", ".parquet"}, ext) {
		return fault.New(fault.Invalid, "%q ends neither in .jsonl, .csv nor .parquet", name).Do("say where the predictions go, such as --out predictions.parquet")
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, "%s is there already", name).Do("choose another name, or remove it")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
	}
	n, err := e.writePredictions(ctx, q, f, filepath.Ext(name))
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	t := table{head: []string{"out", "rows"}}
	t.add(name, fmt.Sprint(n))
	return e.show(map[string]any{"out": name, "rows": n}, t)
}

// writePredictions writes them in the format that an ending names, and counts.
func (e *env) writePredictions(ctx context.Context, q prediction.Query, f *os.File, ext string) (n int, err error) {
	tell := e.scored()
	buf := bufio.NewWriterSize(f, 1<<20)
	var give func(prediction.Joined) error
	end := func() error { return nil }
	switch ext {
	case ".jsonl":
		lines := json.NewEncoder(buf)
		give = func(j prediction.Joined) error { return lines.Encode(j) }
	default:
		give, end, err = e.tabular(buf, ext)
	}
	if err != nil {
		return 0, err
	}
	err = e.client().ExportPredictions(ctx, q, func(j prediction.Joined) error {
		if n++; tell != nil && n%1000 == 0 {
			tell(int64(n))
		}
		return give(j)
	})
	if tell != nil {
		fmt.Fprint(e.err, "\r\x1b[K")
	}
	return n, errors.Join(err, end(), buf.Flush())
}

// exported is how many rows go to a Parquet file at once.
const exported = 8192

// tabular writes predictions as rows of a table.
func (e *env) tabular(buf *bufio.Writer, ext string) (give func(prediction.Joined) error, end func() error, err error) {
	if ext == ".csv" {
		w := csv.NewWriter(buf)
		head := make([]string, 0, len(exportFields()))
		for _, f := range exportFields() {
			head = append(head, f.Name)
		}
		give = func(j prediction.Joined) error {
			f := predictionFrame([]prediction.Joined{j})
			cells := make([]string, len(head))
			for i := range f.Columns() {
				cells[i] = f.Columns()[i].Format(0)
			}
			return w.Write(cells)
		}
		end = func() error { w.Flush(); return w.Error() }
		return give, end, w.Write(head)
	}
	w, err := frame.NewParquetWriter(buf, exportFields())
	if err != nil {
		return nil, nil, err
	}
	var wait []prediction.Joined
	flush := func() error {
		err := w.Write(predictionFrame(wait))
		wait = wait[:0]
		return err
	}
	give = func(j prediction.Joined) error {
		if wait = append(wait, j); len(wait) == exported {
			return flush()
		}
		return nil
	}
	return give, func() error { return errors.Join(flush(), w.Close()) }, nil
}

func exportFields() []frame.Field { return predictionFrame(nil).Fields() }

// predictionFrame is predictions as a table: the columns of a sealed file, and the truth.
func predictionFrame(js []prediction.Joined) *frame.Frame {
	n := len(js)
	text := map[string][]string{}
	num := map[string][]float64{}
	at := map[string][]int64{}
	for i := range js {
		j := &js[i]
		scores, _ := json.Marshal(j.Scores) // numbers only
		label, known, score := "", int64(frame.NoTime), math.NaN()
		if j.Label != nil {
			label, known = j.Label.Value, j.Label.At.UnixMicro()
		}
		if len(j.Scores) == 1 {
			score = j.Scores[0]
		}
		for k, v := range map[string]string{
			"id": string(j.ID), "key": j.Key, "arm": j.Arm, "decision": j.Decision, "flags": strings.Join(j.Flags, " "),
			"row": string(j.Row), "scores": string(scores), "truth": label,
		} {
			text[k] = append(text[k], v)
		}
		for k, v := range map[string]float64{
			"version": float64(j.Version), "generation": float64(j.Generation), "score": score, "latency_us": float64(j.Latency) / 1e3, "truth_value": value(label),
		} {
			num[k] = append(num[k], v)
		}
		for k, v := range map[string]int64{"time": j.Time.UnixMicro(), "due": j.Due.UnixMicro(), "at": j.At.UnixMicro(), "truth_at": known} {
			at[k] = append(at[k], v)
		}
	}
	txt := func(name string) frame.Column {
		null := make([]bool, n)
		for i, s := range text[name] {
			null[i] = s == ""
		}
		return frame.TextColumn(name, text[name], null)
	}
	return frame.WithRows(n, txt("id"), txt("key"), frame.TimeColumn("time", at["time"]), frame.TimeColumn("due", at["due"]), frame.TimeColumn("at", at["at"]),
		frame.NumberColumn("version", num["version"]), txt("arm"), frame.NumberColumn("generation", num["generation"]),
		frame.NumberColumn("score", num["score"]), txt("scores"), txt("decision"), txt("flags"), frame.NumberColumn("latency_us", num["latency_us"]),
		txt("truth"), frame.NumberColumn("truth_value", num["truth_value"]), frame.TimeColumn("truth_at", at["truth_at"]), txt("row"))
}

// value is a truth as a number; NaN where it is a class.
func value(label string) float64 {
	if x, err := strconv.ParseFloat(label, 64); err == nil {
		return x
	}
	return math.NaN()
}
