// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
)

// maxGroup is the most bytes of a group's name.
const maxGroup = 256

// noAudit refuses the groups that come with rows whose answers are not kept.
func (r *Request) noAudit() error {
	if len(r.Audit) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s takes no audit here: it is kept with predictions, and these are not kept", r.Model).
		Do("leave audit out, or ask a model that has a file, without a version")
}

// audit gives the records the groups that came with their rows: an object a row, or null.
// Of a column with bins the bin is kept, never the number. Nothing else reads them: no
// model, and no route that gives rows out.
func (e *Entry) audit(records []prediction.Record, audit []json.RawMessage) error {
	if len(audit) == 0 {
		return nil
	}
	by := e.Task.Audit
	switch {
	case len(by) == 0:
		return fault.New(fault.Invalid, "%s takes no audit: its model file does not switch it on", records[0].Model).
			Do("leave audit out, or name its columns under predict.audit in the model file")
	case len(audit) != len(records):
		return fault.New(fault.Invalid, "audit has %d entries for %d rows", len(audit), len(records)).Do("send one for each row, in their order; null for none")
	}
	for i, raw := range audit {
		var sent map[string]any
		if len(raw) > 0 && json.Unmarshal(raw, &sent) != nil {
			return fault.New(fault.Invalid, "audit %d is not a JSON object", i)
		}
		for column, v := range sent {
			k := slices.IndexFunc(by, func(s dataset.Slice) bool { return s.Column == column })
			if k < 0 {
				return fault.New(fault.Invalid, "audit %d: %q is not a column of predict.audit, which has %s", i, column, columnsOf(by))
			}
			text, ok := groupText(v)
			if !ok {
				return fault.New(fault.Invalid, "audit %d, %q: a text of at most %d bytes, a number, true, false or null", i, column, maxGroup)
			}
			group := by[k].Of(text)
			if group == "" && text != "" {
				return fault.New(fault.Invalid, "audit %d, %q: a number is asked for, which predict.audit cuts into bins", i, column)
			}
			if group == "" {
				continue
			}
			if records[i].Audit == nil {
				records[i].Audit = make(map[string]string, len(sent))
			}
			records[i].Audit[column] = group
		}
	}
	return nil
}

// apart refuses rows that hold a column which the model file has kept apart: the log would
// keep it with the row. A column that a version needs may be in both.
func (p *published) apart(in *input) error {
	for _, a := range p.Task.Audit {
		if slices.ContainsFunc(p.bundles(), func(b *model.Bundle) bool {
			return slices.ContainsFunc(b.Inputs(), func(f frame.Field) bool { return f.Name == a.Column })
		}) {
			continue
		}
		at := -1
		if in.raw == nil && in.cols.Column(a.Column) != nil {
			at = 0
		}
		word := []byte(strconv.Quote(a.Column))
		for i, raw := range in.raw {
			var row map[string]json.RawMessage
			if bytes.Contains(raw, word) && json.Unmarshal(raw, &row) == nil && row[a.Column] != nil {
				at = i
				break
			}
		}
		if at >= 0 {
			return fault.New(fault.Invalid, "row %d holds %q, which predict.audit keeps apart from rows", at, a.Column).
				Do("send it in audit, beside rows; no version needs it")
		}
	}
	return nil
}

// groupText is a value as the name of a group; empty for none.
func groupText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, len(v) <= maxGroup
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func columnsOf(by []dataset.Slice) string {
	names := make([]string, len(by))
	for i, s := range by {
		names[i] = s.Column
	}
	return strings.Join(names, ", ")
}
