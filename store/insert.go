// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// insertion adds rows to a table, many in one statement. It is written once for 1, 2,
// 4 … rows, so that the engine meets few statements and keeps them prepared.
type insertion struct {
	width int // values of a row
	texts []string
}

func newInsertion(d dialect, into, then string) insertion {
	in := insertion{width: strings.Count(into, ",") + 1}
	for size := range d.sizes {
		var b strings.Builder
		b.WriteString("INSERT INTO " + into + " VALUES ")
		for i := range in.width << size {
			switch {
			case i == 0:
				b.WriteByte('(')
			case i%in.width == 0:
				b.WriteString("), (")
			default:
				b.WriteString(", ")
			}
			b.WriteByte(d.mark)
			if d.mark == '$' {
				b.WriteString(strconv.Itoa(i + 1))
			}
		}
		in.texts = append(in.texts, b.String()+") "+then)
	}
	return in
}

// insert adds rows, whose values are one after another in values.
func (t *tx) insert(ctx context.Context, in insertion, values []any) error {
	for size, text := range slices.Backward(in.texts) {
		for n := in.width << size; len(values) >= n; values = values[n:] {
			if _, err := t.ExecContext(ctx, text, values[:n]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertions are those of what is logged.
type insertions struct {
	points, latest, params, tags, linked insertion
}

func newInsertions(d dialect) insertions {
	return insertions{
		points: newInsertion(d, "metrics (run, key, at, step, nan, value)", "ON CONFLICT DO NOTHING"),
		latest: newInsertion(d, "latest_metrics (run, key, experiment, at, step, nan, value)", `ON CONFLICT (run, key) DO UPDATE
			SET at = excluded.at, step = excluded.step, nan = excluded.nan, value = excluded.value
			WHERE (excluded.step, excluded.at, excluded.value, latest_metrics.nan)
				> (latest_metrics.step, latest_metrics.at, latest_metrics.value, excluded.nan)`),
		params: newInsertion(d, "params (run, key, experiment, head, value)", ""),
		tags: newInsertion(d, "tags (run, key, experiment, head, value)", `ON CONFLICT (run, key) DO UPDATE
			SET head = excluded.head, value = excluded.value`),
		linked: newInsertion(d, "logged_model_metrics (model, key, at, step, run, nan, value, dataset_name, dataset_digest)", "ON CONFLICT DO NOTHING"),
	}
}
