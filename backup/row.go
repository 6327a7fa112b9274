// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"flyball/fault"
)

// maxRow bounds one row, as it is written.
const maxRow = 256 << 20

// appendRow appends a row as a JSON array and a line's end. A value is nil, int64,
// float64, string or []byte, as its column's kind says; another is an Internal fault, and
// a text that is not UTF-8 an Invalid one.
func appendRow(b []byte, t *Table, row []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := v.(type) {
		case nil:
			b = append(b, "null"...)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case float64:
			if math.IsInf(v, 0) || math.IsNaN(v) { // JSON has no such numbers
				b = strconv.AppendQuote(b, strconv.FormatFloat(v, 'g', -1, 64))
				break
			}
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		case string:
			if !utf8.ValidString(v) {
				return b, fault.New(fault.Invalid, "a text in %s.%s is not UTF-8", t.Name, t.Columns[i].Name).Do("correct the row: it would not come back as it is")
			}
			text, err := json.Marshal(v)
			if err != nil {
				return b, err
			}
			b = append(b, text...)
		case []byte:
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, v)
			b = append(b, '"')
		default:
			return b, fault.New(fault.Internal, "%s.%s has a value of type %T", t.Name, t.Columns[i].Name, v)
		}
	}
	return append(b, ']', '\n'), nil
}

// ReadRows gives the rows of one part of records, as it was written before it was
// compressed. A line that is no row of the table is an Invalid fault.
func ReadRows(r io.Reader, t *Table, give func(row []any) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "line %d of %s cannot be read", n, t.Name)
		}
		row, err := readRow(line, t)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "line %d of %s is no row of it", n, t.Name)
		}
		if err := give(row); err != nil {
			return err
		}
	}
}

// readLine is the next line without its end. A last line without one is cut off.
func readLine(in *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		piece, err := in.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return piece[:len(piece)-1], nil
		case len(long)+len(piece) > maxRow:
			return nil, fault.New(fault.TooLarge, "it is longer than %d bytes", maxRow)
		case err == nil:
			return append(long, piece[:len(piece)-1]...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, piece...)
		case errors.Is(err, io.EOF) && len(long)+len(piece) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// errShape says that a line has not the values of its table.
var errShape = errors.New("it has not the columns of the table")

func readRow(line []byte, t *Table) ([]any, error) {
	var row []any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if d.More() || len(row) != len(t.Columns) {
		return nil, errShape
	}
	for i, v := range row {
		var err error
		if row[i], err = readValue(v, t.Columns[i].Kind); err != nil {
			return nil, err
		}
	}
	return row, nil
}

func readValue(v any, kind string) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.Number:
		switch kind {
		case Int:
			return strconv.ParseInt(v.String(), 10, 64)
		case Real:
			return strconv.ParseFloat(v.String(), 64)
		}
	case string:
		switch kind {
		case Text:
			return v, nil
		case Bytes:
			return base64.StdEncoding.DecodeString(v)
		case Real:
			if v == "NaN" || v == "+Inf" || v == "-Inf" {
				return strconv.ParseFloat(v, 64)
			}
		}
	}
	return nil, errShape
}
