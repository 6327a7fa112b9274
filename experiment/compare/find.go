// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flyball/blob/artifact"
	"flyball/data/dataset"
	"flyball/experiment"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/search"
)

// BaselineTag is the tag of an experiment that names its baseline: the id of a run.
// Without it the constant is the baseline.
const BaselineTag = "flyball.baseline"

// Tags that a run may have of the version that it made.
const (
	versionTag = "flyball.version" // hotel-cancel@7
	modelTag   = "flyball.model"
)

// MaxSubjects is how many may be compared at once, the reference among them.
const MaxSubjects = 10

// Files opens artifacts. *artifact.Tree does.
type Files interface {
	Stat(ctx context.Context, path string) (artifact.Entry, error)
	Open(ctx context.Context, path string) (artifact.Entry, io.ReadSeekCloser, error)
}

// Registry finds versions. *registry.Registrar does.
type Registry interface {
	Version(ctx context.Context, ref ident.Ref) (registry.Version, error)
	ByAlias(ctx context.Context, model, alias string) (registry.Version, error)
}

// Finder finds what references name, reads what it predicted, and compares it. Its
// fields are set once; its methods may be called at once.
type Finder struct {
	Tracker   *experiment.Tracker
	Artifacts Files
	Registry  Registry

	// Policy is the gate's rules of a model, and what its decisions cost; false: it has
	// none. May be nil.
	Policy func(ctx context.Context, model string) (gate.Policy, dataset.Costs, bool)

	far   distances
	heavy sync.Mutex // held while much is compared
}

// Question asks for a comparison.
type Question struct {
	Refs    []string // run:8f3c, 8f3c, hotel-cancel@7, hotel-cancel@live, @live
	Against string   // baseline, live, constant, or a reference; empty: the first of Refs
	Model   string   // of @live; empty: that of the first reference
	Metric  string   // that decides; empty: the gate's first, or the usual one
	Slices  bool
	Curves  bool
}

// Compare answers a question. What cannot be found is a NotFound fault; a prefix of
// several runs, or too few references, an Invalid one.
func (f *Finder) Compare(ctx context.Context, q Question) (Report, error) {
	if len(q.Refs) > MaxSubjects-1 && q.Against != "" || len(q.Refs) > MaxSubjects {
		return Report{}, fault.New(fault.Invalid, "at most %d can be compared at once", MaxSubjects)
	}
	if len(q.Refs) == 0 || len(q.Refs) == 1 && q.Against == "" {
		return Report{}, fault.New(fault.Invalid, "a comparison needs two").Do("name another, or say against what: baseline, live or a reference")
	}
	if q.Metric != "" && !evaluation.Known(q.Metric) {
		return Report{}, fault.New(fault.Invalid, "%q is no metric that can be measured", q.Metric).
			Do("take one of %s, %s", strings.Join(evaluation.ForKind(dataset.Binary), ", "), strings.Join(evaluation.ForKind(dataset.Regression), ", "))
	}
	var all []found
	for _, ref := range q.Refs {
		one, err := f.find(ctx, ref, q.Model, all)
		if err != nil {
			return Report{}, err
		}
		all = append(all, one)
	}
	if q.Against != "" {
		reference, err := f.against(ctx, q, all)
		if err != nil {
			return Report{}, err
		}
		all = slices.DeleteFunc(all, func(o found) bool { return o.same(reference) })
		all = slices.Insert(all, 0, reference)
	}
	if len(all) < 2 {
		return Report{}, fault.New(fault.Invalid, "%s is compared with itself", q.Refs[0])
	}
	if large, err := f.large(ctx, all); err != nil {
		return Report{}, err
	} else if large {
		f.heavy.Lock() // one at a time: a million rows take a hundred megabytes
		defer f.heavy.Unlock()
	}
	subjects, err := f.load(ctx, all)
	if err != nil {
		return Report{}, err
	}
	o := Options{Slices: q.Slices, Curves: q.Curves, Primary: q.Metric}
	f.rules(ctx, f.model(ctx, all), &o)
	return Compare(subjects, o), nil
}

// large reports whether the predictions of all are more than a few at once should read.
// More than memory should hold is a TooLarge fault.
func (f *Finder) large(ctx context.Context, all []found) (bool, error) {
	sum := int64(0)
	for _, o := range all {
		_, size, err := f.digest(ctx, o.predicted())
		if err != nil {
			return false, err
		}
		sum += size
	}
	if sum > 2*MaxPredictions {
		return true, fault.New(fault.TooLarge, "the predictions of these %d have %d MiB, and %d MiB can be compared at once", len(all), sum>>20, 2*MaxPredictions>>20).
			Do("name fewer, or keep a sample of the rows")
	}
	return sum > mostBytes, nil
}

// found is what a reference names, before its predictions are read.
type found struct {
	ref     string
	run     experiment.Run // no ID: there is none
	version registry.Version
	is      []string
	none    bool   // the constant
	missing string // why there is no run

	judging experiment.Run // that keeps what the version predicted, where its own run does not
}

// predicted is the run that keeps the predictions.
func (o found) predicted() experiment.Run {
	if o.judging.ID != "" {
		return o.judging
	}
	return o.run
}

// same reports whether both are of one run or one version.
func (o found) same(p found) bool {
	if o.run.ID != "" || p.run.ID != "" {
		return o.run.ID == p.run.ID
	}
	return o.version.Ref == p.version.Ref
}

func (o found) model() string {
	if o.version.Model != "" {
		return o.version.Model
	}
	return tagOf(o.run, modelTag)
}

// model is that of the first that has one; else an experiment is named like its model.
func (f *Finder) model(ctx context.Context, all []found) string {
	for _, o := range all {
		if m := o.model(); m != "" {
			return m
		}
	}
	for _, o := range all {
		if o.run.ID == "" || o.run.Experiment == experiment.Default {
			continue
		}
		if e, err := f.Tracker.Experiment(ctx, o.run.Experiment); err == nil {
			return e.Name
		}
	}
	return ""
}

func tagOf(r experiment.Run, key string) string {
	for _, t := range r.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// runPrefix is what the beginning of a run's id may look like.
var runPrefix = regexp.MustCompile(`^[0-9a-zA-Z][0-9a-zA-Z_-]{0,255}$`)

// find is what a reference names.
func (f *Finder) find(ctx context.Context, ref, model string, before []found) (found, error) {
	if prefix, ok := strings.CutPrefix(ref, "run:"); ok {
		return f.findRun(ctx, prefix, ref)
	}
	at := strings.LastIndex(ref, "@")
	if at < 0 {
		return f.findRun(ctx, ref, ref)
	}
	name, what := ref[:at], ref[at+1:]
	if name == "" {
		if name = model; name == "" {
			name = f.model(ctx, before)
		}
	}
	if name == "" {
		return found{}, fault.New(fault.Invalid, "%s of which model?", ref).Do("write model%s, or name the model with -m", ref)
	}
	return f.findVersion(ctx, name, what, ref)
}

func (f *Finder) findVersion(ctx context.Context, model, what, ref string) (found, error) {
	out := found{ref: ref}
	n, err := strconv.Atoi(what)
	if err == nil && n > 0 {
		out.version, err = f.Registry.Version(ctx, ident.Ref{Model: model, Version: n})
	} else {
		out.is = []string{what}
		out.version, err = f.Registry.ByAlias(ctx, model, what)
		if fault.Is(err, fault.Invalid) { // MLflow's kind of an alias that is not set
			err = fault.New(fault.NotFound, "no version of %s is %s", model, what)
		}
	}
	if err != nil {
		return found{}, err
	}
	out.ref = out.version.Ref.String()
	if out.version.RunID == "" {
		out.missing = fmt.Sprintf("%s came from no run, so nothing is judged.", out.ref)
	} else if out.run, err = f.Tracker.Run(ctx, out.version.RunID); fault.Is(err, fault.NotFound) {
		out.run, out.missing = experiment.Run{}, fmt.Sprintf("the run of %s is not kept here, so nothing is judged.", out.ref)
	} else if err != nil {
		return out, err
	}
	if has, err := f.stat(ctx, out.run, ManifestFile); has || err != nil {
		return out, err
	}
	if out.judging, err = f.judging(ctx, out.version.Ref); out.judging.ID != "" {
		out.missing = ""
	}
	return out, err
}

// judging is the newest run in which the gate judged a version that was registered by
// a client; the zero run where there is none. The run that made the version is its
// people's and may keep no predictions.
func (f *Finder) judging(ctx context.Context, ref ident.Ref) (experiment.Run, error) {
	e, err := f.Tracker.ExperimentByName(ctx, ref.Model)
	if fault.Is(err, fault.NotFound) {
		return experiment.Run{}, nil
	} else if err != nil {
		return experiment.Run{}, err
	}
	tag := search.Comparison{Entity: search.Tag, Key: versionTag, Op: search.Equal, Text: ref.String()}
	runs, _, err := f.Tracker.Runs.SearchRuns(ctx, experiment.Query{
		Experiments: []ident.ExperimentID{e.ID}, Filter: search.Filter{tag}, Order: []search.Order{{Key: "start_time", Desc: true}}, Page: experiment.Page{Limit: 1},
	})
	if err != nil || len(runs) == 0 {
		return experiment.Run{}, err
	}
	return runs[0], nil
}

// findRun is the run whose id begins so.
func (f *Finder) findRun(ctx context.Context, prefix, ref string) (found, error) {
	if !runPrefix.MatchString(prefix) {
		return found{}, fault.New(fault.Invalid, "%q names no run and no version", ref).Do("write run:8f3c or hotel-cancel@7")
	}
	run, err := f.Tracker.Run(ctx, ident.RunID(prefix))
	if err == nil {
		return found{ref: "run:" + string(run.ID), run: run}, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return found{}, err
	}
	all, err := f.withPrefix(ctx, prefix)
	switch {
	case err != nil:
		return found{}, err
	case len(all) == 0:
		return found{}, fault.New(fault.NotFound, "no run begins with %s", prefix).Do("see flyball runs")
	case len(all) > 1:
		return found{}, ambiguous(prefix, all)
	}
	run, err = f.Tracker.Run(ctx, all[0].ID)
	return found{ref: "run:" + string(run.ID), run: run}, err
}

func ambiguous(prefix string, all []experiment.Run) error {
	var names []string
	for _, r := range all[:min(len(all), 10)] {
		names = append(names, fmt.Sprintf("%s (%s)", r.ID, r.Name))
	}
	more := ""
	if len(all) > 10 {
		more = " and more"
	}
	return fault.New(fault.Invalid, "%s is the beginning of several runs: %s%s", prefix, strings.Join(names, ", "), more).Do("write more of the id")
}

// withPrefix is up to eleven runs, of all experiments, whose ids begin so.
func (f *Finder) withPrefix(ctx context.Context, prefix string) ([]experiment.Run, error) {
	ids, err := f.experiments(ctx)
	if err != nil {
		return nil, err
	}
	like := search.Comparison{Entity: search.Attribute, Key: "run_id", Op: search.Like, Text: strings.ReplaceAll(prefix, "_", "%") + "%"}
	runs, _, err := f.Tracker.Runs.SearchRuns(ctx, experiment.Query{Experiments: ids, Filter: search.Filter{like}, Page: experiment.Page{Limit: 11}})
	return slices.DeleteFunc(runs, func(r experiment.Run) bool { return !strings.HasPrefix(string(r.ID), prefix) }), err
}

// experiments are the ids of those that are not deleted.
func (f *Finder) experiments(ctx context.Context) ([]ident.ExperimentID, error) {
	var ids []ident.ExperimentID
	for token := ""; ; {
		es, next, err := f.Tracker.SearchExperiments(ctx, experiment.Ask{Page: experiment.Page{Limit: 10_000, Token: token}})
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			ids = append(ids, e.ID)
		}
		if token = next; token == "" {
			return ids, nil
		}
	}
}

// against is the reference of a question.
func (f *Finder) against(ctx context.Context, q Question, all []found) (found, error) {
	switch q.Against {
	case "constant":
		return constant(), nil
	case "live":
		return f.find(ctx, "@live", q.Model, all)
	case "baseline":
		for _, o := range all {
			if o.run.ID != "" {
				return f.baseline(ctx, o.run.Experiment)
			}
		}
		return constant(), nil
	}
	return f.find(ctx, q.Against, q.Model, all)
}

func constant() found { return found{ref: "constant", none: true, is: []string{"baseline"}} }

// baseline is what an experiment declares, or the constant.
func (f *Finder) baseline(ctx context.Context, id ident.ExperimentID) (found, error) {
	e, err := f.Tracker.Experiment(ctx, id)
	if err != nil {
		return found{}, err
	}
	for _, t := range e.Tags {
		if t.Key == BaselineTag && t.Value != "" {
			out, err := f.find(ctx, t.Value, "", nil)
			if err != nil {
				f := fault.New(fault.NotFound, "the baseline of %s, %s, is not there", e.Name, t.Value)
				f.Cause = err
				return found{}, f.Do("set the experiment's tag %s to a run, or delete it", BaselineTag)
			}
			out.is = append(out.is, "baseline")
			return out, nil
		}
	}
	return constant(), nil
}

// rules has the gate of the model say what decides and how much worse is not harm.
func (f *Finder) rules(ctx context.Context, model string, o *Options) {
	if f.Policy == nil || model == "" {
		return
	}
	p, costs, ok := f.Policy(ctx, model)
	if !ok {
		return
	}
	o.Costs = costs
	o.Margins = map[string]float64{}
	for _, r := range p.Metrics {
		judged := r.Require.Word == "superior" || r.Require.Word == "noninferior"
		if !judged || r.Against == "baseline" || !evaluation.Known(r.Name) {
			continue
		}
		if o.Primary == "" {
			o.Primary = r.Name
		}
		if r.Margin != nil {
			o.Margins[r.Name] = *r.Margin
		}
	}
}

// load reads what subjects are and predicted.
func (f *Finder) load(ctx context.Context, all []found) ([]Subject, error) {
	out := make([]Subject, len(all))
	for i, o := range all {
		s, err := f.subject(ctx, o)
		if err != nil {
			return nil, err
		}
		s.Environment = f.environment(ctx, o.run)
		out[i] = s
	}
	nameAll(out)
	for i := range out {
		for j := range out {
			if i == j {
				continue
			}
			if err := f.also(ctx, all[i].predicted(), &out[i], out[j].Version); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// also reads what another version said of the rows of a run, if that is kept.
func (f *Finder) also(ctx context.Context, run experiment.Run, s *Subject, version string) error {
	if s.Evaluation == nil || version == "" || version == s.Version {
		return nil
	}
	other, err := f.predictions(ctx, run, s.Evaluation.Manifest, OtherFile(version))
	if err == nil {
		if s.Also == nil {
			s.Also = map[string]*Evaluation{}
		}
		s.Also[version] = other
	}
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) { // a version's name may be none of a file
		return nil
	}
	return err
}

func (f *Finder) subject(ctx context.Context, o found) (Subject, error) {
	if o.none {
		return Subject{Ref: "constant", Name: "the constant", Title: "the mean of the labels", Tags: o.is, Constant: true}, nil
	}
	s := Subject{
		Ref: o.ref, Title: o.run.Name, Tags: o.is, Run: string(o.run.ID), Params: o.run.Params, RunTags: o.run.Tags, Metrics: o.run.Metrics, Inputs: o.run.Inputs,
		Missing: o.missing,
	}
	if o.version.Version != 0 {
		s.Version = o.version.Ref.String()
	} else {
		s.Version = tagOf(o.run, versionTag)
	}
	if o.predicted().ID == "" {
		return s, nil
	}
	var err error
	s.Evaluation, err = f.evaluation(ctx, o.predicted())
	if e, ok := errors.AsType[*fault.Error](err); ok {
		switch e.Kind {
		case fault.NotFound: // it keeps none
		case fault.Invalid, fault.TooLarge:
			s.Missing = fmt.Sprintf("The predictions of %s cannot be used: %s.", o.ref, e.What)
		default:
			return s, err
		}
	} else if err != nil {
		return s, err
	}
	return s, nil
}

// nameAll gives short names: v7 of a version, else the first digits of the run's id
// that tell it from the others.
func nameAll(all []Subject) {
	models := map[string]bool{}
	for _, s := range all {
		if at := strings.LastIndex(s.Version, "@"); at >= 0 {
			models[s.Version[:at]] = true
		}
	}
	for i := range all {
		s := &all[i]
		at := strings.LastIndex(s.Version, "@")
		switch {
		case s.Constant:
		case at >= 0 && !strings.HasPrefix(s.Ref, "run:") && len(models) == 1:
			s.Name = "v" + s.Version[at+1:]
		case at >= 0 && !strings.HasPrefix(s.Ref, "run:"):
			s.Name = s.Version
		default:
			n := min(4, len(s.Run))
			for slices.ContainsFunc(all, func(o Subject) bool { return o.Run != s.Run && strings.HasPrefix(o.Run, s.Run[:n]) }) && n < len(s.Run) {
				n++
			}
			s.Name = s.Run[:n]
		}
	}
}
