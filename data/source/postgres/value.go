// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"flyball/data/frame"
	"flyball/fault"
)

// maxWhole is where integers begin that share a float64 with another.
const maxWhole = 1 << 53

// put appends a value, which is nil where there is none, to its column.
func (r *rows) put(c *frame.Column, kind uint32, raw []byte) error {
	text := string(raw)
	switch c.Kind {
	case frame.Number:
		x, problem := math.NaN(), ""
		if raw != nil {
			x, problem = number(text, kind)
		}
		if problem != "" {
			return r.wrong(c.Name, text, problem)
		}
		c.Num = append(c.Num, x)
	case frame.Time:
		t := int64(frame.NoTime)
		if raw != nil {
			var ok bool
			if t, ok = r.moment(text); !ok {
				return r.wrong(c.Name, text, "is no time between the years 1 and 9999").Do("mend the rows, or leave them out in the query")
			}
		}
		c.Time = append(c.Time, t)
	case frame.Text:
		if kind == pgtype.BoolOID && raw != nil {
			text = map[string]string{"t": "true", "f": "false"}[text]
		}
		c.Text = append(c.Text, text)
		if raw == nil && c.Null == nil {
			c.Null = make([]bool, len(c.Text)-1, chunkRows)
		}
		if c.Null != nil {
			c.Null = append(c.Null, raw == nil)
		}
	}
	return nil
}

func (r *rows) wrong(column, text, problem string) *fault.Error {
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return fault.New(fault.Invalid, "%s: row %d, column %q: %q %s", r.query.name, r.row, column, text, problem)
}

// number reads a value of a Number column, or says what is wrong with it.
func number(text string, kind uint32) (x float64, problem string) {
	if kind == pgtype.BoolOID {
		if text == "t" {
			return 1, ""
		}
		return 0, ""
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, "is no number, and the column is one"
	}
	if kind == pgtype.Int8OID && math.Abs(x) >= maxWhole {
		return 0, "is larger than numbers are kept exactly (2^53); if it is an id, cast it in the query: ::text"
	}
	return x, ""
}

// moment reads a date, a time with a zone, or one without.
func (r *rows) moment(text string) (int64, bool) {
	text, utc := strings.CutSuffix(text, "+00")
	zone := r.zone
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02", time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UnixMicro(), t.Year() > 0
		}
	}
	return 0, false
}

// problem is an error of the database as a fault. What is wrong with the statement is the
// caller's; row is how many rows came before.
func (q *query) problem(err error, row int) error {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &pg) && pg.Code == "25006": // read_only_sql_transaction
		return caused(err, fault.New(fault.Invalid, "%s: the query writes (%s)", q.name, pg.Message)).Do("write a SELECT under data.query")
	case errors.As(err, &pg) && len(pg.Code) == 5 && (pg.Code[:2] == "42" || pg.Code[:2] == "22" || pg.Code[:2] == "0A"):
		f := caused(err, fault.New(fault.Invalid, "%s: the query cannot be answered: %s", q.name, pg.Message))
		if pg.Hint != "" {
			return f.Do("%s", pg.Hint)
		}
		return f
	case row > 0:
		return fault.Wrap(err, fault.Unavailable, "%s: the rows came to an end after %d", q.name, row)
	}
	return caused(err, fault.New(fault.Unavailable, "%s cannot be asked", q.name)).
		Do("see that the database answers, and that PGUSER, PGPASSWORD or PGPASSFILE of the server's environment let it in")
}

func caused(err error, f *fault.Error) *fault.Error {
	f.Cause = err
	return f
}
