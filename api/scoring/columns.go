// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model/mlmodel"
)

// unreadable is what MLflow says of a body that pandas cannot read.
func unreadable(kind, writer, why string) error {
	return badRequest("Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid %s Pandas DataFrame produced using the `pandas.DataFrame.%s()` method. Error: '%s'",
		kind, writer, why)
}

// missingWords are the texts that pandas takes for a missing value in CSV.
func missingWords() []string {
	return []string{
		"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
		"NaN", "None", "n/a", "nan", "null",
	}
}

// readCSV reads a body of CSV with a header row. Which columns are text tells the
// signature, and where it says nothing, what is in them.
func readCSV(body []byte, s mlmodel.Schema) (*request, error) {
	if !utf8.Valid(body) {
		return nil, invalidInput("Ensure that input is a valid UTF-8 encoded string. Error: 'UnicodeDecodeError: it is not UTF-8'")
	}
	for _, c := range s.Columns {
		if c.Type.Items != nil || c.Type.Properties != nil || c.Type.Name == "object" {
			return nil, unreadable("CSV-formatted", "to_csv", "column "+clip(c.Name)+" holds a "+c.Type.Name+", which CSV cannot; send JSON")
		}
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	head, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, unreadable("CSV-formatted", "to_csv", "No columns to parse from file")
	case err != nil:
		return nil, unreadable("CSV-formatted", "to_csv", "line 1 is not CSV")
	case len(head) > maxColumns:
		return nil, unreadable("CSV-formatted", "to_csv", "there are too many columns")
	}
	t := &table{names: slices.Clone(head), cells: make([][]span, len(head))}
	if len(t.names) > 1 {
		sorted := slices.Sorted(slices.Values(t.names))
		if len(slices.Compact(sorted)) != len(t.names) {
			return nil, unreadable("CSV-formatted", "to_csv", "a column stands twice")
		}
	}
	missing := missingWords()
	texts := make([]bool, len(head))
	for i, name := range head {
		at := slices.IndexFunc(s.Columns, func(c mlmodel.Column) bool { return c.Name == name })
		texts[i] = at >= 0 && (s.Columns[at].Type.Name == "string" || s.Columns[at].Type.Name == "binary")
	}
	w := writer{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var bad *csv.ParseError
			if errors.As(err, &bad) && errors.Is(bad.Err, csv.ErrFieldCount) {
				return nil, unreadable("CSV-formatted", "to_csv", "row "+itoa(t.rows)+" has "+itoa(len(row))+" values, and there are "+itoa(len(head))+" columns")
			}
			return nil, unreadable("CSV-formatted", "to_csv", "row "+itoa(t.rows)+" is not CSV")
		}
		for i, word := range row {
			t.cells[i] = append(t.cells[i], w.word(word, slices.Contains(missing, word), texts[i]))
		}
		if t.rows++; t.rows > maxRows {
			return nil, tooManyRows()
		}
	}
	t.src = w.text
	if len(s.Columns) == 0 {
		w.infer(t)
		t.src = w.text
	}
	return &request{src: t.src, form: "text/csv", table: t}, nil
}

// writer writes values that came in another form as JSON.
type writer struct{ text text }

// add appends a value and returns where it stands.
func (w *writer) add(write func(b []byte) []byte) span {
	from := len(w.text)
	w.text = write(w.text)
	return span{int32(from), int32(len(w.text))} //nolint:gosec // a body is far below 2 GiB
}

// word writes a word of CSV: a number or a truth value as such, unless the column is
// one of text.
func (w *writer) word(word string, missing, asText bool) span {
	return w.add(func(b []byte) []byte {
		switch {
		case missing:
			return append(b, "null"...)
		case asText:
		case word == "True" || word == "TRUE" || word == "true":
			return append(b, "true"...)
		case word == "False" || word == "FALSE" || word == "false":
			return append(b, "false"...)
		case numeral(word):
			return append(b, word...)
		}
		return appendText(b, word)
	})
}

// numeral reports whether a word is a number of JSON.
func numeral(word string) bool {
	t := text(word)
	if word == "" || word[0] != '-' && (word[0] < '0' || word[0] > '9') {
		return false
	}
	end, bad := t.number(0)
	return bad == nil && end == len(word)
}

// infer makes a column text as a whole where not all of its values are of one kind.
func (w *writer) infer(t *table) {
	for k, cells := range t.cells {
		words := 0
		for _, s := range cells {
			if w.text.kind(s) == '"' {
				words++
			}
		}
		if words == 0 {
			continue
		}
		for i, s := range cells {
			if c := w.text.kind(s); c != '"' && c != 'n' {
				word := string(w.text.bytes(s))
				t.cells[k][i] = w.add(func(b []byte) []byte { return appendText(b, word) })
			}
		}
	}
}

// parquetMemory is what reading a body of Parquet may take beside 16 times its size: enough
// for four million values that were compressed to almost nothing.
const parquetMemory = 256 << 20

// readParquet reads a body of Parquet, with 16 times its size of memory and more beside.
func readParquet(body []byte, more int64) (*request, error) {
	in, err := frame.ParquetWithin("body.parquet", body, more+16*int64(len(body)))
	if err != nil {
		return nil, parquetFault(err)
	}
	t := &table{}
	w := writer{}
	for {
		f, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, parquetFault(err)
		}
		if t.names == nil {
			for _, c := range f.Fields() {
				t.names = append(t.names, c.Name)
			}
			t.cells = make([][]span, len(t.names))
		}
		if t.rows += f.Rows(); t.rows > maxRows || len(w.text) > 1<<30 {
			return nil, tooManyRows()
		}
		for k := range f.Columns() {
			c := &f.Columns()[k]
			for i := range f.Rows() {
				t.cells[k] = append(t.cells[k], w.value(c, i))
			}
		}
	}
	t.src = w.text
	return &request{src: t.src, form: "application/vnd.apache.parquet", table: t}, nil
}

func parquetFault(err error) error {
	why := "it is no Parquet file of flat columns"
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid {
		why = f.What
	}
	return unreadable("Parquet", "to_parquet", strings.ReplaceAll(why, "body.parquet: ", ""))
}

// value writes a value of a frame.
func (w *writer) value(c *frame.Column, i int) span {
	return w.add(func(b []byte) []byte {
		switch {
		case c.Missing(i):
			return append(b, "null"...)
		case c.Kind == frame.Number:
			return appendFloat(b, c.Num[i])
		}
		return appendText(b, c.Format(i))
	})
}
