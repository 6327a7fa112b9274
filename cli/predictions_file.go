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

	"github.com/spf13/cobra"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/serving/prediction"
)

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
