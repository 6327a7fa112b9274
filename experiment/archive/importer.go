// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"time"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// Store is where records are brought in. Package store implements it.
type Store interface {
	experiment.Imports

	ExperimentByName(ctx context.Context, name string) (experiment.Experiment, error)
	CreateExperiment(ctx context.Context, e experiment.Experiment) (experiment.Experiment, error)

	// RunsWithHistory are those of the runs that are here, with every point of their
	// metrics, in no order.
	RunsWithHistory(ctx context.Context, ids []ident.RunID) ([]experiment.ImportedRun, error)
	Run(ctx context.Context, id ident.RunID) (experiment.Run, error)
	LoggedModel(ctx context.Context, id ident.ModelID, deleted bool) (experiment.LoggedModel, error)

	Listing(ctx context.Context, name string) (registry.Listing, error)
	CreateModel(ctx context.Context, m registry.Model) error
	Version(ctx context.Context, ref ident.Ref) (registry.Version, error)
	// ImportVersion adds a version under its own number; one that is taken is a
	// Conflict fault. The model's next version gets a higher one.
	ImportVersion(ctx context.Context, v registry.Version) error
	MoveAlias(ctx context.Context, model, alias string, to int, by string, at time.Time) error
}

// Importer brings records in. It may be used by several callers at once.
type Importer struct {
	Store Store
	Now   func() time.Time
}

// Outcome is what became of the records of a kind.
type Outcome struct {
	Added  int64 `json:"added"`  // was not here
	Same   int64 `json:"same"`   // is here, and equal
	Differ int64 `json:"differ"` // is here under the same name, and different; it was left as it is
}

// Report is what became of records, by kind as in Kinds.
type Report struct {
	Kinds     map[string]Outcome `json:"kinds"`
	Differing []string           `json:"differing,omitempty"` // the first 20 that differ, in words
}

// Merge adds another report.
func (r *Report) Merge(o Report) {
	if r.Kinds == nil {
		r.Kinds = map[string]Outcome{}
	}
	for kind, n := range o.Kinds {
		had := r.Kinds[kind]
		r.Kinds[kind] = Outcome{had.Added + n.Added, had.Same + n.Same, had.Differ + n.Differ}
	}
	for _, d := range o.Differing {
		if len(r.Differing) < 20 {
			r.Differing = append(r.Differing, d)
		}
	}
}

// Whole reports whether everything that was compared is here and equal.
func (r Report) Whole() bool {
	for _, n := range r.Kinds {
		if n.Added+n.Differ > 0 {
			return false
		}
	}
	return true
}

// work is one call of Import.
type work struct {
	*Importer
	by  string
	dry bool
	out Report

	experiments map[string]ident.ExperimentID // by name; -1: it would be added
	runs        []Run                         // that wait to be written together
	last        ident.RunID                   // whose points are held below, in a dry run
	points      map[string]bool
}

// runsAtOnce is how many runs are written in one transaction.
const runsAtOnce = 100

// Import brings in what is not here, and says what it found; with dry it only says
// so. Nothing that is here is changed, but that missing points of a metric are added.
// What an error leaves undone, the same call again does. by is who asks.
func (i *Importer) Import(ctx context.Context, by string, dry bool, records iter.Seq2[Record, error]) (Report, error) {
	w := &work{Importer: i, by: by, dry: dry, out: Report{Kinds: map[string]Outcome{}}, experiments: map[string]ident.ExperimentID{}}
	for r, err := range records {
		if err == nil {
			err = w.record(ctx, r)
		}
		if err != nil {
			return w.out, err
		}
	}
	return w.out, w.flush(ctx)
}

func (w *work) record(ctx context.Context, r Record) error {
	if r.Run != nil {
		w.runs = append(w.runs, *r.Run)
		if len(w.runs) < runsAtOnce {
			return nil
		}
		return w.flush(ctx)
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	switch {
	case r.Experiment != nil:
		return w.experiment(ctx, *r.Experiment)
	case r.Points != nil:
		return w.morePoints(ctx, *r.Points)
	case r.LoggedModel != nil:
		return w.loggedModel(ctx, *r.LoggedModel)
	case r.Model != nil:
		return w.model(ctx, *r.Model)
	case r.Version != nil:
		return w.version(ctx, r.Version.Version)
	case r.Alias != nil:
		return w.alias(ctx, *r.Alias)
	}
	return fault.New(fault.Invalid, "a record holds nothing")
}

func (w *work) count(kind string, added, same int64) {
	w.out.Merge(Report{Kinds: map[string]Outcome{kind: {Added: added, Same: same}}})
}

func (w *work) differs(kind, format string, args ...any) {
	w.out.Merge(Report{Kinds: map[string]Outcome{kind: {Differ: 1}}, Differing: []string{fmt.Sprintf(format, args...)}})
}

// experiment brings in an experiment. One of the same name is the same: its runs go
// there.
func (w *work) experiment(ctx context.Context, e Experiment) error {
	here, err := w.Store.ExperimentByName(ctx, e.Name)
	switch {
	case err == nil:
		w.experiments[e.Name] = here.ID
		if here.Deleted != e.Deleted {
			w.differs("experiments", "experiment %s is deleted on one side only", e.Name)
			return nil
		}
		w.count("experiments", 0, 1)
		return nil
	case !fault.Is(err, fault.NotFound):
		return err
	}
	w.experiments[e.Name] = -1
	if !w.dry {
		made, err := w.Store.CreateExperiment(ctx, e.experiment())
		if err != nil {
			return err
		}
		w.experiments[e.Name] = made.ID
	}
	w.count("experiments", 1, 0)
	return nil
}

// home is the id of the experiment that a record names; false: it is not here yet.
func (w *work) home(ctx context.Context, name string) (ident.ExperimentID, bool, error) {
	id, known := w.experiments[name]
	if !known {
		e, err := w.Store.ExperimentByName(ctx, name)
		if fault.Is(err, fault.NotFound) {
			return 0, false, fault.New(fault.Invalid, "a record belongs to the experiment %s, which is not here", name).Do("bring in its experiment first")
		}
		if err != nil {
			return 0, false, err
		}
		id = e.ID
		w.experiments[name] = id
	}
	return id, id >= 0, nil
}

// flush writes, or compares, the runs that wait.
func (w *work) flush(ctx context.Context) error {
	if len(w.runs) == 0 {
		return nil
	}
	waiting := w.runs
	w.runs = nil
	ids := make([]ident.RunID, len(waiting))
	for i, r := range waiting {
		ids[i] = r.ID
	}
	found, err := w.Store.RunsWithHistory(ctx, ids)
	if err != nil {
		return err
	}
	here := make(map[ident.RunID]experiment.ImportedRun, len(found))
	for _, r := range found {
		here[r.ID] = r
	}
	var add []experiment.ImportedRun
	for _, r := range waiting {
		id, there, err := w.home(ctx, r.Experiment)
		if err != nil {
			return err
		}
		have, known := here[r.ID]
		if !known {
			w.count("runs", 1, 0)
			if there && !w.dry {
				run, history := r.run(id)
				add = append(add, experiment.ImportedRun{Run: run, History: history})
			}
			continue
		}
		if what := r.differs(FromRun(r.Experiment, have.Run, nil).Run, id == have.Experiment); what != "" {
			w.differs("runs", "run %s is here with %s", r.ID, what)
			continue
		}
		missing := missingPoints(r.Metrics, pointSet(metrics(have.History)))
		if len(missing) > 0 {
			w.count("points", int64(len(missing)), 0)
			if !w.dry {
				if err := w.Store.ImportPoints(ctx, r.ID, points(missing)); err != nil {
					return err
				}
			}
		}
		w.count("runs", 0, 1)
	}
	if len(add) == 0 {
		return nil
	}
	_, err = w.Store.ImportRuns(ctx, add)
	return err
}

// differs names what two runs do not have in common, points aside; empty when nothing.
// Of inputs, name and digest count: the first description of a dataset stays.
func (r Run) differs(o *Run, sameExperiment bool) string {
	if !sameExperiment {
		return "another experiment"
	}
	a, b := r, *o
	for _, x := range []*Run{&a, &b} {
		x.Metrics, x.More = nil, false
		inputs := make([]Input, len(x.Inputs))
		for i, in := range x.Inputs {
			inputs[i] = Input{Dataset: experiment.Dataset{Name: in.Name, Digest: in.Digest}}
		}
		x.Inputs = inputs
	}
	type part struct {
		name string
		of   func(Run) any
	}
	for _, p := range []part{
		{"another name", func(r Run) any { return r.Name }},
		{"another status", func(r Run) any { return r.Status }},
		{"another start", func(r Run) any { return r.Start }},
		{"another end", func(r Run) any { return r.End }},
		{"other params", func(r Run) any { return fmt.Sprint(r.Params) }},
		{"other tags", func(r Run) any { return fmt.Sprint(r.Tags) }},
	} {
		if p.of(a) != p.of(b) {
			return p.name
		}
	}
	if (Record{Run: &a}).Digest() != (Record{Run: &b}).Digest() {
		return "another content"
	}
	return ""
}

// form is a point as a text that is equal for equal points.
func (m Metric) form() string {
	return fmt.Sprintf("%d %d %v %s", m.At, m.Step, float64(m.Value), m.Key)
}

func pointSet(ms []Metric) map[string]bool {
	out := make(map[string]bool, len(ms))
	for _, m := range ms {
		out[m.form()] = true
	}
	return out
}

func missingPoints(ms []Metric, here map[string]bool) []Metric {
	var out []Metric
	for _, m := range ms {
		if !here[m.form()] {
			out = append(out, m)
		}
	}
	return out
}

// morePoints adds points to a run, or looks whether they are here.
func (w *work) morePoints(ctx context.Context, p Points) error {
	if !w.dry {
		w.count("points", int64(len(p.Metrics)), 0)
		return w.Store.ImportPoints(ctx, p.Run, points(p.Metrics))
	}
	if w.last != p.Run {
		found, err := w.Store.RunsWithHistory(ctx, []ident.RunID{p.Run})
		if err != nil {
			return err
		}
		w.last, w.points = p.Run, nil
		if len(found) > 0 {
			w.points = pointSet(metrics(found[0].History))
		}
	}
	missing := int64(len(missingPoints(p.Metrics, w.points)))
	w.count("points", missing, int64(len(p.Metrics))-missing)
	return nil
}

func (w *work) loggedModel(ctx context.Context, m LoggedModel) error {
	id, there, err := w.home(ctx, m.Experiment)
	if err != nil {
		return err
	}
	have, err := w.Store.LoggedModel(ctx, m.ID, true)
	if err == nil {
		if have.Name != m.Name || have.Experiment != id || have.SourceRun != m.SourceRun {
			w.differs("logged_models", "logged model %s is here with another name, experiment or run", m.ID)
			return nil
		}
		w.count("logged_models", 0, 1)
		return nil
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	w.count("logged_models", 1, 0)
	if w.dry || !there {
		return nil
	}
	_, err = w.Store.ImportLoggedModels(ctx, []experiment.LoggedModel{m.model(id)})
	return err
}

// model brings in a registered model. A model file does not come with it: it is
// applied.
func (w *work) model(ctx context.Context, m registry.Model) error {
	_, err := w.Store.Listing(ctx, m.Name)
	if err == nil {
		w.count("models", 0, 1)
		return nil
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := registry.CheckName(m.Name); err != nil {
		return err
	}
	w.count("models", 1, 0)
	if w.dry {
		return nil
	}
	return w.Store.CreateModel(ctx, registry.Model{Name: m.Name, About: m.About, Tags: m.Tags, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt})
}

func (w *work) version(ctx context.Context, v registry.Version) error {
	have, err := w.Store.Version(ctx, v.Ref)
	if err == nil {
		if have.Source != v.Source || have.RunID != v.RunID || have.Bundle != v.Bundle {
			w.differs("versions", "version %s is here with another source", v.Ref)
			return nil
		}
		w.count("versions", 0, 1)
		return nil
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	w.count("versions", 1, 0)
	if w.dry {
		return nil
	}
	if v.Location, err = w.relocate(ctx, v.Location, v.Source); err != nil {
		return err
	}
	return w.Store.ImportVersion(ctx, v)
}

// place is how a file of a run or logged model lies below a server's root, whatever
// that root is: …/<experiment>/<run>/artifacts/… or …/models/<id>/artifacts/….
var place = regexp.MustCompile(`^[^?#]*/(?:models/(m-[0-9a-f]{32})|([0-9A-Za-z][\w-]{0,255}))/artifacts(?:/(.*))?$`)

// relocate is where the files of a version lie here: below the run or logged model
// that had them there. What cannot be told stays as it was.
func (w *work) relocate(ctx context.Context, location, source string) (string, error) {
	for _, uri := range []string{location, source} {
		if below, is := strings.CutPrefix(uri, "models:/m-"); is {
			uri = "/models/m-" + below + "/artifacts"
		}
		m := place.FindStringSubmatch(uri)
		if m == nil {
			continue
		}
		root, err := w.root(ctx, ident.ModelID(m[1]), ident.RunID(m[2]))
		if err != nil {
			return "", err
		}
		if root != "" {
			return strings.TrimSuffix(root+"/"+m[3], "/"), nil
		}
	}
	return location, nil
}

func (w *work) root(ctx context.Context, model ident.ModelID, run ident.RunID) (root string, err error) {
	if model != "" {
		m, e := w.Store.LoggedModel(ctx, model, true)
		root, err = m.Location, e
	} else {
		r, e := w.Store.Run(ctx, run)
		root, err = r.Location, e
	}
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return root, err
}

func (w *work) alias(ctx context.Context, a Alias) error {
	l, err := w.Store.Listing(ctx, a.Model)
	if fault.Is(err, fault.NotFound) && w.dry {
		w.count("aliases", 1, 0)
		return nil
	}
	if err != nil {
		return err
	}
	for _, have := range l.Aliases {
		if have.Name == a.Name {
			if have.Version != a.Version {
				w.differs("aliases", "the alias %s of %s points at %d here, and at %d there", a.Name, a.Model, have.Version, a.Version)
				return nil
			}
			w.count("aliases", 0, 1)
			return nil
		}
	}
	w.count("aliases", 1, 0)
	if w.dry {
		return nil
	}
	return w.Store.MoveAlias(ctx, a.Model, a.Name, a.Version, w.by, w.Now())
}
