// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// request is a body, read as far as it goes without the model's signature.
type request struct {
	src    text
	form   string // dataframe_split, dataframe_records, instances or inputs; text/csv or application/vnd.apache.parquet
	data   span   // of the form, in src
	params span   // absent: none
	table  *table // the rows, where they are a table
}

// The forms of a body.
const (
	split     = "dataframe_split"
	records   = "dataframe_records"
	instances = "instances"
	inputs    = "inputs"
)

// The words that MLflow answers with.
const (
	oneForm  = "The input must be a JSON dictionary with exactly one of the input fields {'inputs', 'instances', 'dataframe_records', 'dataframe_split'}"
	changed1 = "IMPORTANT: The MLflow Model scoring protocol has changed in MLflow version 2.0. If you are seeing this error, you are likely using an outdated scoring request format. "
	changed2 = "To resolve the error, either update your request format or adjust your MLflow Model's requirements file to specify an older version of MLflow (for example, change the 'mlflow' requirement specifier to 'mlflow==1.30.0'). "
	changed3 = "If you are making a request using the MLflow client (e.g. via `mlflow.pyfunc.spark_udf()`), upgrade your MLflow client to a version >= 2.0 in order to use the new request format. "
	changed4 = "For more information about the updated MLflow Model scoring protocol in MLflow 2.0, see https://mlflow.org/docs/latest/models.html#deploy-mlflow-models."
	changed  = changed1 + changed2 + changed3 + changed4
)

// readJSON reads a body of JSON.
func readJSON(body []byte) (*request, error) {
	r := &request{src: body}
	if !utf8.Valid(body) {
		return nil, invalidInput("Ensure that input is a valid JSON formatted string. Error: 'UnicodeDecodeError: it is not UTF-8'")
	}
	if bad := r.src.check(); bad != nil {
		return nil, invalidInput("Ensure that input is a valid JSON formatted string. Error: '%s'", bad.in(r.src))
	}
	top := r.src.whole()
	switch r.src.kind(top) {
	case '{':
	case '[':
		return nil, invalidInput("%s. Received a list.", oneForm)
	default:
		return nil, invalidInput("%s. Received unexpected input type '<class '%s'>.", oneForm, r.src.python(top))
	}
	var found []string
	for name, value := range r.src.members(top) {
		switch name {
		case "params":
			r.params = value
		case split, records, instances, inputs:
			if !slices.Contains(found, name) {
				found = append(found, name)
			}
			r.form, r.data = name, value
		}
	}
	if len(found) != 1 {
		quoted := make([]string, len(found))
		for i, f := range found {
			quoted[i] = "'" + f + "'"
		}
		return nil, badRequest("%s. Received dictionary with input fields: [%s]. %s", oneForm, strings.Join(quoted, ", "), changed)
	}
	if r.src.kind(r.params) == 'n' {
		r.params = span{}
	}
	return r, r.readForm()
}

// readForm makes the table where the data is one. Lists that are no rows of columns are
// left for the signature to say what they are.
func (r *request) readForm() error {
	t := &table{src: r.src}
	kind := r.src.kind(r.data)
	switch {
	case r.form == split:
		r.table = t
		return t.split(r.data)
	case r.form == records && kind != '[':
		word := fmt.Sprintf("type <class '%s'>", r.src.python(r.data))
		if kind == '{' {
			word = "dictionary"
		}
		return invalidInput("Dataframe records format must be a list of records. Got %s.", word)
	case r.form == records, kind == '[' && r.ofObjects():
		r.table = t
		return t.records(r.data)
	case kind == '{':
		return nil
	case kind != '[':
		return invalidInput("The field %s must be a list or a dictionary. Got type %s.", r.form, r.src.python(r.data))
	}
	return nil
}

// ofObjects reports whether the data is a list of objects.
func (r *request) ofObjects() bool {
	n := 0
	for item := range r.src.items(r.data) {
		if r.src.kind(item) != '{' {
			return false
		}
		n++
	}
	return n > 0
}

// split reads the form dataframe_split.
func (t *table) split(s span) error {
	switch kind := t.src.kind(s); kind {
	case '{':
	case '[':
		return invalidInput("Dataframe split format must be a dictionary. Got list.")
	default:
		return invalidInput("Dataframe split format must be a dictionary. Got type <class '%s'>.", t.src.python(s))
	}
	var columns, data, index span
	var keys []string
	extra := false
	for name, value := range t.src.members(s) {
		keys = append(keys, "'"+name+"'")
		switch name {
		case "columns":
			columns = value
		case "data":
			data = value
		case "index":
			index = value
		default:
			extra = true
		}
	}
	if data == (span{}) || extra {
		return invalidInput("Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. Got {%s}.'", clip(strings.Join(keys, ", ")))
	}
	if !t.src.null(columns) {
		if err := t.heads(columns); err != nil {
			return err
		}
	}
	if t.src.kind(data) != '[' {
		return notSplit("the data is a %s, not a list", t.src.python(data))
	}
	if err := t.rowLists(data); err != nil {
		return err
	}
	return t.index(index)
}

func notSplit(format string, args ...any) error {
	return invalidInput("Provided dataframe_split field is not a valid dataframe representation in 'split' format. Error: '%s'", fmt.Sprintf(format, args...))
}

// heads reads the names of the columns.
func (t *table) heads(columns span) error {
	if t.src.kind(columns) != '[' {
		return notSplit("the columns are a %s, not a list", t.src.python(columns))
	}
	t.names = []string{}
	seen := map[string]bool{}
	for c := range t.src.items(columns) {
		name := t.src.string(c)
		if seen[name] {
			return notSplit("the column %s stands twice", clip(name))
		}
		seen[name] = true
		if t.names = append(t.names, name); len(t.names) > maxColumns {
			return notSplit("there are more than %d columns", maxColumns)
		}
	}
	return nil
}

// index checks the index, whose values nothing needs.
func (t *table) index(s span) error {
	if t.src.null(s) {
		return nil
	}
	n := 0
	if t.src.kind(s) == '[' {
		for range t.src.items(s) {
			n++
		}
	}
	if n != t.rows {
		return notSplit("the index has %d values, and there are %d rows", n, t.rows)
	}
	return nil
}

// clip shortens what a message repeats of a request.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
