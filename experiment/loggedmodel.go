// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"strings"

	"flyball/fault"
	"flyball/ident"
	"flyball/search"
)

// Limits of logged models. Lengths are in characters.
const (
	maxLoggedName     = 500
	maxLoggedTagValue = 100_000
	maxLoggedSearch   = 1000 // models in one answer; who asks for more gets a token
	maxLoggedAtOnce   = 1000 // params, and tags, in one request
)

// CreateLoggedModel begins a logged model, which is pending until it is finished, and
// returns it as it is kept. m says its experiment, and may say its name, type, source
// run, params and tags; a name is made up when it has none. Of equal tag keys the last
// counts.
func (t *Tracker) CreateLoggedModel(ctx context.Context, m LoggedModel) (LoggedModel, error) {
	if err := checkLoggedName(m.Name); err != nil {
		return LoggedModel{}, err
	}
	if m.Name == "" {
		m.Name = RandomName()
	}
	for what, s := range map[string]string{"model_type": m.Type, "source_run_id": string(m.SourceRun)} {
		if err := checkLength(what, maxLoggedName, s); err != nil {
			return LoggedModel{}, err
		}
	}
	var err error
	if m.Params, err = checkLoggedParams(m.Params); err != nil {
		return LoggedModel{}, err
	}
	if m.Tags, err = checkLoggedTags(m.Tags); err != nil {
		return LoggedModel{}, err
	}
	e, err := t.Experiments.Experiment(ctx, m.Experiment)
	if err != nil {
		return LoggedModel{}, err
	}
	m.ID, m.Status, m.StatusMessage, m.Deleted, m.Metrics = ident.NewModelID(), ModelPending, "", false, nil
	m.Created = t.now()
	m.Updated = m.Created
	m.Location = below(e.Location, "models/"+string(m.ID)+"/artifacts")
	return m, t.LoggedModels.CreateLoggedModel(ctx, m)
}

func checkLoggedName(name string) error {
	if strings.ContainsAny(name, `/:.%"'`) {
		return fault.New(fault.Invalid, `Invalid model name ('%s') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%%', '"', "'")`, clip(name))
	}
	return checkLength("name", maxLoggedName, name)
}

func checkLoggedParams(params []Param) ([]Param, error) {
	if len(params) > maxLoggedAtOnce {
		return nil, fault.New(fault.Invalid, "A request about a logged model can contain at most %d params. Got %d.", maxLoggedAtOnce, len(params))
	}
	out := make([]Param, 0, len(params))
	for i, p := range params {
		p, err := checkParam(at("params", i), p)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, checkOnce(out)
}

func checkLoggedTags(tags []Tag) ([]Tag, error) {
	if len(tags) > maxLoggedAtOnce {
		return nil, fault.New(fault.Invalid, "A request about a logged model can contain at most %d tags. Got %d.", maxLoggedAtOnce, len(tags))
	}
	for i, tag := range tags {
		if tag.Key == "" {
			return nil, fault.New(fault.Invalid, "Missing value for required parameter '%skey'. See the API docs for more information about request parameters.", at("tags", i))
		}
		if err := checkLength(at("tags", i)+"key", MaxKey, tag.Key); err != nil {
			return nil, err
		}
		if err := checkLength(at("tags", i)+"value", maxLoggedTagValue, tag.Value); err != nil {
			return nil, err
		}
	}
	return lastOfEach(tags), nil
}

// LoggedModel is a logged model with everything; deleted: also a deleted one.
func (t *Tracker) LoggedModel(ctx context.Context, id ident.ModelID, deleted bool) (LoggedModel, error) {
	return t.LoggedModels.LoggedModel(ctx, id, deleted)
}

// FinishLoggedModel says whether the files of a logged model came whole.
func (t *Tracker) FinishLoggedModel(ctx context.Context, id ident.ModelID, s ModelStatus) (LoggedModel, error) {
	if s != ModelReady && s != ModelUploadFailed {
		return LoggedModel{}, fault.New(fault.Invalid, "Invalid model status: %d. Expected statuses are: LOGGED_MODEL_READY, LOGGED_MODEL_UPLOAD_FAILED", s)
	}
	return t.LoggedModels.SetLoggedModelStatus(ctx, id, s, "", t.now())
}

// DeleteLoggedModel hides a logged model.
func (t *Tracker) DeleteLoggedModel(ctx context.Context, id ident.ModelID) error {
	return t.LoggedModels.DeleteLoggedModel(ctx, id, t.now())
}

// SetLoggedModelTags writes tags.
func (t *Tracker) SetLoggedModelTags(ctx context.Context, id ident.ModelID, tags []Tag) error {
	tags, err := checkLoggedTags(tags)
	if err != nil {
		return err
	}
	return t.LoggedModels.SetLoggedModelTags(ctx, id, tags, 0)
}

// DeleteLoggedModelTag deletes a tag.
func (t *Tracker) DeleteLoggedModelTag(ctx context.Context, id ident.ModelID, key string) error {
	return t.LoggedModels.DeleteLoggedModelTag(ctx, id, key, 0)
}

// AddLoggedModelParams adds params, none of which may be there.
func (t *Tracker) AddLoggedModelParams(ctx context.Context, id ident.ModelID, params []Param) error {
	params, err := checkLoggedParams(params)
	if err != nil {
		return err
	}
	return t.LoggedModels.AddLoggedModelParams(ctx, id, params)
}

// AskModels is a search for logged models as a client words it.
type AskModels struct {
	Experiments []ident.ExperimentID
	Filter      string
	Order       []search.OrderBy
	Datasets    []Dataset // whose metrics the filter sees; none: all. Name and Digest count
	Page
}

// SearchLoggedModels finds logged models; next is empty on the last page.
func (t *Tracker) SearchLoggedModels(ctx context.Context, a AskModels) (found []LoggedModel, next string, err error) {
	if a.Limit <= 0 {
		return nil, "", notPositive(a.Limit)
	}
	if err := checkFilter(a.Filter); err != nil {
		return nil, "", err
	}
	a.Limit = min(a.Limit, maxLoggedSearch)
	q := Query{Experiments: a.Experiments, Datasets: a.Datasets, Page: a.Page}
	if q.Filter, err = search.LoggedModels(a.Filter); err != nil {
		return nil, "", err
	}
	if q.Order, err = search.LoggedModelsOrder(a.Order); err != nil {
		return nil, "", err
	}
	for _, d := range a.Datasets {
		if d.Name == "" {
			return nil, "", fault.New(fault.Invalid, "`dataset_name` in the `datasets` clause must be specified.")
		}
	}
	if len(a.Experiments) == 0 {
		return nil, "", nil
	}
	return t.LoggedModels.SearchLoggedModels(ctx, q)
}
