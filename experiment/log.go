// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"flyball/fault"
	"flyball/ident"
)

// LogBatch logs metrics, params and tags to a run: all or nothing, so it may be sent
// again when no answer came.
func (t *Tracker) LogBatch(ctx context.Context, b Batch) error {
	if err := checkAmounts(len(b.Metrics), len(b.Params), len(b.Tags)); err != nil {
		return err
	}
	b, err := checkBatch(b)
	if err != nil {
		return err
	}
	return t.Runs.Log(ctx, b, false)
}

// LogMetric logs one point.
func (t *Tracker) LogMetric(ctx context.Context, id ident.RunID, m Metric) error {
	m, err := checkMetric("", m)
	if err != nil {
		return err
	}
	return t.Runs.Log(ctx, Batch{Run: id, Metrics: []Metric{m}}, true)
}

// LogParam logs one param. It is written once: the same value again is fine, another
// is an Invalid fault.
func (t *Tracker) LogParam(ctx context.Context, id ident.RunID, p Param) error {
	p, err := checkParam("", p)
	if err != nil {
		return err
	}
	return t.Runs.Log(ctx, Batch{Run: id, Params: []Param{p}}, true)
}

// SetTag writes one tag; mlflow.runName renames the run.
func (t *Tracker) SetTag(ctx context.Context, id ident.RunID, tag Tag) error {
	tag, err := checkTag("", tag)
	if err != nil {
		return err
	}
	return t.Runs.Log(ctx, Batch{Run: id, Tags: []Tag{tag}}, true)
}

// DeleteTag deletes a tag of a run; one that is not there is not found.
func (t *Tracker) DeleteTag(ctx context.Context, id ident.RunID, key string) error {
	return t.Runs.DeleteRunTag(ctx, id, key)
}

// LogInputs says which datasets and logged models a run read.
func (t *Tracker) LogInputs(ctx context.Context, id ident.RunID, in []Input, models []ident.ModelID) error {
	if err := CheckRunID(id); err != nil {
		return err
	}
	for _, i := range in {
		if err := checkInput(i); err != nil {
			return err
		}
	}
	for _, m := range models {
		if err := checkModelID(m); err != nil {
			return err
		}
	}
	return t.Runs.LogInputs(ctx, id, in, models)
}

// LogOutputs says which logged models a run made. The models need not be there.
func (t *Tracker) LogOutputs(ctx context.Context, id ident.RunID, out []Output) error {
	for _, o := range out {
		if err := checkModelID(o.ModelID); err != nil {
			return err
		}
	}
	return t.Runs.LogOutputs(ctx, id, out)
}

func checkModelID(id ident.ModelID) error {
	if id == "" {
		return missing("model_id")
	}
	return checkLength("model_id", MaxKey, string(id))
}

func missing(field string) error {
	return fault.New(fault.Invalid, "Missing value for required parameter '%s'. See the API docs for more information about request parameters.", field)
}

// modelHistoryTag lists the models that a run logged, as clients before MLflow 3 want
// it. maxModelHistory bounds it in bytes.
const (
	modelHistoryTag = "mlflow.log-model.history"
	maxModelHistory = 1 << 20
)

// LogModel notes in a tag of the run that a model was logged. info is the model's
// MLmodel as JSON. It is how clients before MLflow 3 tell it.
func (t *Tracker) LogModel(ctx context.Context, id ident.RunID, info string) error {
	var model map[string]json.RawMessage
	if err := json.Unmarshal([]byte(info), &model); err != nil || model == nil {
		return fault.New(fault.Invalid, "Malformed model info. \n %s \n is not a valid JSON.", clip(info))
	}
	var missing []string
	for _, field := range []string{"artifact_path", "flavors", "run_id", "utc_time_created"} {
		if _, ok := model[field]; !ok {
			missing = append(missing, "'"+field+"'")
		}
	}
	if missing != nil {
		return fault.New(fault.Invalid, "Model json is missing mandatory fields: {%s}", strings.Join(missing, ", "))
	}
	t.history.Lock()
	defer t.history.Unlock()
	run, err := t.Runs.Run(ctx, id)
	if err != nil {
		return err
	}
	written := "[" + info + "]"
	if i := slices.IndexFunc(run.Tags, func(t Tag) bool { return t.Key == modelHistoryTag }); i >= 0 {
		written = appendTo(run.Tags[i].Value, info)
	}
	if len(written) > maxModelHistory {
		return fault.New(fault.Invalid, "The tag %s of run %s is full: a run can tell of models in %d bytes.", modelHistoryTag, id, maxModelHistory)
	}
	return t.Runs.Log(ctx, Batch{Run: id, Tags: []Tag{{modelHistoryTag, written}}}, true)
}

// appendTo puts a value at the end of a JSON list, both as they are written. What is
// no list, because somebody wrote it by hand, begins anew.
func appendTo(list, value string) string {
	var have []json.RawMessage
	if err := json.Unmarshal([]byte(list), &have); err != nil || len(have) == 0 {
		return "[" + value + "]"
	}
	return strings.TrimSuffix(strings.TrimSpace(list), "]") + ", " + value + "]"
}
