// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/fault"
)

// maxRows bounds what predict reads, in bytes.
const maxRows = 64 << 20

func predictCommand(e *env) *cobra.Command {
	var files batchFlags
	var name string
	var audit []string
	c := &cobra.Command{
		Use: "predict MODEL [FILE]", Short: "Ask for predictions: JSON rows from a file or standard input, or whole tables", Args: cobra.MaximumNArgs(2),
		Long: "Asks the server about JSON rows: one object, a list, or one object a line. The answers are\nkept in the prediction log.\n\n" +
			"With --in and --out it scores tables here, with the version's own bytes, and keeps nothing in the\nlog. What was stopped goes on where it was when the same command is given again.",
		Example: "  flyball predict hotel-cancel rows.json\n  echo '{\"booking_id\":\"b-17\",\"lead_time\":41}' | flyball predict hotel-cancel\n" +
			"  flyball predict hotel-cancel --in bookings.csv.gz --out scores.parquet\n  flyball predict hotel-cancel@7 --in 'day=*/rows.parquet' --out scores/ --keep booking_id",
		RunE: func(cmd *cobra.Command, args []string) error {
			if name != "" {
				args = append([]string{name}, args...)
			}
			switch {
			case len(args) == 0:
				return fmt.Errorf("requires the name of a model")
			case len(files.in) > 0 && len(args) > 1:
				return fault.New(fault.Invalid, "%s and --in name two sources of rows", args[1]).Do("give one of them")
			case len(files.in) > 0 && len(audit) > 0:
				return fault.New(fault.Invalid, "--audit goes with predictions that are kept, and --in keeps none").Do("leave one of them out")
			case len(files.in) > 0:
				return e.score(cmd.Context(), args[0], files)
			case files.out != "":
				return fault.New(fault.Invalid, "--out needs --in").Do("say which tables are scored, such as --in rows.parquet")
			}
			in := e.in
			if len(args) == 2 && args[1] != "-" {
				f, err := os.Open(args[1])
				if err != nil {
					return fault.Wrap(err, fault.NotFound, "%s cannot be read", args[1])
				}
				defer f.Close()
				in = f
			}
			req, err := readRows(in)
			if err != nil {
				return err
			}
			if err := takeApart(&req, audit); err != nil {
				return err
			}
			got, err := e.client().Ask(cmd.Context(), args[0], req)
			if err != nil {
				return err
			}
			t := table{head: []string{"key", "value", "decision", "version", "arm", "flags", "id"}, short: 6}
			for _, p := range got.Predictions {
				value := "-"
				if p.Value != nil {
					value = strconv.FormatFloat(*p.Value, 'g', 6, 64)
				}
				t.add(p.Key, value, p.Decision, fmt.Sprint(p.Version), p.Arm, strings.Join(p.Flags, " "), p.ID)
			}
			return e.show(got, t)
		},
	}
	c.Flags().StringVarP(&name, "model", "m", "", "the model, as MODEL")
	c.Flags().StringSliceVar(&audit, "audit", nil, "columns of the rows that are groups of people: sent apart from them, as predict.audit of the model file allows")
	files.add(c)
	return c
}

// takeApart takes the columns out of the rows, and into their audit.
func takeApart(req *wire.PredictRequest, columns []string) error {
	if len(columns) == 0 {
		return nil
	}
	if len(req.Audit) > 0 {
		return fault.New(fault.Invalid, "the rows come with their audit, and --audit names columns besides").Do("leave one of them out")
	}
	req.Audit = make([]json.RawMessage, len(req.Rows))
	found := map[string]bool{}
	for i, raw := range req.Rows {
		var row map[string]json.RawMessage
		if err := json.Unmarshal(raw, &row); err != nil {
			return fault.Wrap(err, fault.Invalid, "row %d is not a JSON object", i)
		}
		groups := map[string]json.RawMessage{}
		for _, c := range columns {
			if v, ok := row[c]; ok {
				groups[c], found[c] = v, true
				delete(row, c)
			}
		}
		var err error
		if req.Rows[i], err = json.Marshal(row); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if req.Audit[i], err = json.Marshal(groups); err != nil {
			return fmt.Errorf("audit %d: %w", i, err)
		}
	}
	for _, c := range columns {
		if !found[c] {
			return fault.New(fault.Invalid, "no row has the column %q, which --audit names", c)
		}
	}
	return nil
}

// readRows reads one JSON object, a list of them, {"rows": […]}, with their audit or
// without, or one object a line.
func readRows(in io.Reader) (req wire.PredictRequest, err error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxRows+1))
	if err != nil {
		return req, fault.Wrap(err, fault.Unavailable, "the rows cannot be read")
	}
	if len(raw) > maxRows {
		return req, fault.New(fault.TooLarge, "more than %d MB of rows", maxRows>>20).Do("send them in several calls")
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '[' {
		err := json.Unmarshal(raw, &req.Rows)
		return req, fault.Wrap(err, fault.Invalid, "the rows are not valid JSON")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	for d.More() {
		var row json.RawMessage
		if err := d.Decode(&row); err != nil {
			return req, fault.Wrap(err, fault.Invalid, "the rows are not valid JSON")
		}
		var whole wire.PredictRequest
		if json.Unmarshal(row, &whole) == nil && whole.Rows != nil {
			req.Rows, req.Audit = append(req.Rows, whole.Rows...), append(req.Audit, whole.Audit...)
			continue
		}
		req.Rows = append(req.Rows, row)
	}
	return req, nil
}

func labelCommand(e *env) *cobra.Command {
	var at string
	var byID bool
	c := &cobra.Command{
		Use: "label MODEL KEY VALUE", Short: "Tell the truth of a prediction", Args: cobra.ExactArgs(3),
		Example: "  flyball label hotel-cancel b-17 1\n  flyball label hotel-cancel b-17 0 --at 2016-05-03",
		RunE: func(cmd *cobra.Command, args []string) error {
			l := wire.Label{Key: args[1], At: at}
			if byID {
				l.ID, l.Key = args[1], ""
			}
			if _, err := strconv.ParseFloat(args[2], 64); err == nil {
				l.Value = json.RawMessage(args[2])
			} else if l.Value, err = json.Marshal(args[2]); err != nil {
				return err
			}
			got, err := e.client().Label(cmd.Context(), args[0], []wire.Label{l})
			if err != nil {
				return err
			}
			if got.Unmatched > 0 {
				e.say("no prediction of %s is known yet; the label waits for it", args[1])
			}
			_, err = fmt.Fprintln(e.out, "kept")
			return err
		},
	}
	c.Flags().StringVar(&at, "at", "", "when it became known; default now")
	c.Flags().BoolVar(&byID, "id", false, "KEY is the prediction's id")
	return c
}
