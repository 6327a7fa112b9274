// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/data/pipeline"
	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/lightgbm"
	"flyball/model/mlmodel"
	"flyball/model/onnx"
	"flyball/model/xgboost"
	"flyball/training/executor"
)

// JobTag is the tag of a run that a command makes: the handle of its job.
const JobTag = "flyball.job"

// maxMade bounds what a command may leave as its model, in bytes.
const maxMade = 1 << 30

// fitRun is the run of the nth run of a request's command; the first is the training's.
func fitRun(r Request, number int) ident.RunID {
	if number == 1 {
		return RunOf(r.Key)
	}
	return RunOf(fmt.Sprintf("%s/fit/%d", r.Key, number))
}

// made are files that a command made, as a folder.
type made map[string][]byte

// Open opens a file by its path.
func (m made) Open(_ context.Context, name string) (io.ReadCloser, error) {
	raw, ok := m[path.Clean(name)]
	if !ok {
		return nil, fault.New(fault.NotFound, "the command made no file %s", name)
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

// Names are the paths of all files, sorted.
func (m made) Names(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(m)), nil }

// outputs reads all that a run made, and holds it to its manifest.
func (w *work) outputs(ctx context.Context, f fit) (made, error) {
	left := int64(maxMade)
	out := made{}
	for name, file := range f.status.Manifest.Files {
		if left -= file.Size; left < 0 {
			return nil, fault.New(fault.TooLarge, "the command made more than %d bytes", int64(maxMade)).Do("write the model alone into FLYBALL_OUT")
		}
		r, err := w.Executor.Output(ctx, f.handle, name)
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(io.LimitReader(r, file.Size+1))
		if cerr := r.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "the output %s of the command cannot be read", name)
		}
		if string(blob.Sum(raw)) != file.SHA256 {
			return nil, fault.New(fault.Refused, "the output %s of the command is not what its manifest says", name).Do("train again")
		}
		out[name] = raw
	}
	return out, nil
}

// folder is the folder of MLflow's form among the files, or one made around a single
// file of a format that tells itself.
func (m made) folder(names []string) (made, error) {
	var roots []string
	for name := range m {
		if path.Base(name) == "MLmodel" {
			roots = append(roots, path.Dir(name))
		}
	}
	slices.Sort(roots)
	if len(roots) > 1 {
		return nil, fault.New(fault.Refused, "the command left %d models in FLYBALL_OUT: %s", len(roots), strings.Join(roots, ", ")).Do("leave one")
	}
	if len(roots) == 1 {
		out := made{}
		for name, raw := range m {
			if roots[0] == "." {
				out[name] = raw
			} else if rest, ok := strings.CutPrefix(name, roots[0]+"/"); ok {
				out[rest] = raw
			}
		}
		return out, nil
	}
	return m.around(names)
}

// around makes an MLmodel for the one model among the files. names are the features that
// it was given; none: it names them itself.
func (m made) around(names []string) (made, error) {
	var found, flavor, model string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		raw := m[name]
		kind := ""
		switch ext := path.Ext(name); {
		case ext == ".onnx":
			kind = "onnx"
		case ext == ".txt" && bytes.HasPrefix(raw, []byte("tree")):
			kind = "lightgbm"
		case ext == ".ubj" || ext == ".json" && bytes.Contains(raw, []byte(`"learner"`)):
			kind = "xgboost"
		default:
			continue
		}
		if found != "" {
			return nil, fault.New(fault.Refused, "the command left two models in FLYBALL_OUT: %s and %s", found, name).Do("leave one")
		}
		found, flavor = name, kind
	}
	switch flavor {
	case "":
		return nil, fault.New(fault.Refused, "the command left no model in FLYBALL_OUT, but %s", strings.Join(slices.Sorted(maps.Keys(m)), ", ")).
			Do("save it as XGBoost's JSON or UBJSON, LightGBM's text, ONNX, or a folder of MLflow's")
	case "xgboost":
		model = "    model_class: xgboost.core.Booster\n    model_format: " + strings.TrimPrefix(path.Ext(found), ".") + "\n"
	case "lightgbm":
		model = "    model_class: lightgbm.basic.Booster\n"
	}
	about := fmt.Sprintf("flavors:\n  %s:\n    data: %q\n%s", flavor, found, model)
	if len(names) > 0 {
		type column struct {
			Type     string `json:"type"`
			Name     string `json:"name"`
			Required bool   `json:"required"`
		}
		var columns []column
		for _, n := range names {
			columns = append(columns, column{"double", n, true})
		}
		inputs, err := json.Marshal(columns)
		if err != nil {
			return nil, fmt.Errorf("encode a signature: %w", err)
		}
		text, err := json.Marshal(string(inputs))
		if err != nil {
			return nil, fmt.Errorf("encode a signature: %w", err)
		}
		about += fmt.Sprintf("signature:\n  inputs: %s\n", text)
	}
	out := maps.Clone(m)
	out["MLmodel"] = []byte(about)
	return out, nil
}

// read makes a bundle's parts of what a command made. fitted is the pipeline that its
// features came from; nil: none.
func (w *work) read(ctx context.Context, from made, fitted *pipeline.Fitted) (model.Parts, error) {
	var names []string
	if fitted != nil {
		names = fitted.Names()
	}
	folder, err := from.folder(names)
	if err != nil {
		return model.Parts{}, err
	}
	m, err := mlmodel.Read(ctx, folder, w.Decoders, w.recipe.Task.Kind)
	if err != nil {
		return model.Parts{}, err
	}
	classes := w.classes
	if fitted != nil {
		classes = slices.Clone(classes)
		for i := range classes {
			classes[i] = fmt.Sprintf("%d.0", i) // the label was the place of the class
		}
	}
	if m, err = m.For(classes); err != nil {
		return model.Parts{}, err
	}
	parts := model.Parts{Pipeline: fitted, Estimator: m.File, More: m.More, Tolerance: m.Tolerance}
	if fitted == nil {
		if err := fitting(m.Inputs, w.rows); err != nil {
			return model.Parts{}, err
		}
		if parts.Pipeline, err = m.Pipeline(ctx); err != nil {
			return model.Parts{}, err
		}
		parts.Answer = &m.Answer
		w.recipe.Pipeline.Inputs = m.Inputs // what monitoring compares
		return parts, nil
	}
	return parts, w.named(m, names)
}

// named refuses a model that was trained on other features than the pipeline makes, or
// has them in another order where places are what counts. A model without names of its
// own (it was trained on a matrix) has them by their places.
func (w *work) named(m mlmodel.Model, names []string) error {
	own, err := ownNames(m)
	if err != nil {
		return err
	}
	const how = "train it on all columns of FLYBALL_TRAIN but the label, in their order"
	if len(m.Inputs) != len(names) && m.File.Name != onnx.File || len(own) > 0 && len(own) != len(names) {
		return fault.New(fault.Refused, "the model takes %d features, and the pipeline makes %d", max(len(own), len(m.Inputs)), len(names)).Do(how)
	}
	for i, name := range own {
		want := names[i]
		if m.File.Name == lightgbm.File {
			want = strings.ReplaceAll(want, " ", "_") // as LightGBM's Python package has it
		}
		if name != want {
			return fault.New(fault.Refused, "feature %d of the model is %q, and that of the pipeline %q", i+1, name, names[i]).Do(how)
		}
	}
	if len(own) == 0 && (m.Behind || m.File.Name == lightgbm.File || m.File.Name == onnx.File) {
		w.note("the model names no features; it is given those of the pipeline by their places: %s", strings.Join(names, ", "))
	}
	return nil
}

// note adds a line to the log of the command's last run.
func (w *work) note(format string, args ...any) {
	if len(w.fits) == 0 {
		return
	}
	f := &w.fits[len(w.fits)-1]
	if n := len(f.log); n > 0 && f.log[n-1] != '\n' {
		f.log = append(f.log, '\n')
	}
	f.log = fmt.Appendf(f.log, "flyball: "+format+"\n", args...)
}

// ownNames are the names in a model's own file, in the order in which it takes its
// features; none where it has no names but places, or finds its columns by their names.
func ownNames(m mlmodel.Model) ([]string, error) {
	switch m.File.Name {
	case lightgbm.File:
		_, rest, _ := bytes.Cut(m.File.Bytes, []byte("\nfeature_names="))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		names := strings.Fields(string(line))
		for i, name := range names {
			if name != fmt.Sprintf("Column_%d", i) {
				return names, nil
			}
		}
		return nil, nil
	case onnx.File:
		about, err := onnx.Describe(m.File.Bytes)
		if err != nil || len(about.Inputs) < 2 {
			return nil, err
		}
		names := make([]string, len(about.Inputs))
		for i, in := range about.Inputs {
			names[i] = in.Name
		}
		return names, nil
	}
	if !m.Behind {
		return nil, nil
	}
	about, err := xgboost.ReadAbout(m.File.Bytes)
	return about.Features, err
}

// sameAs reports whether making the candidate again came to the same: to the same bytes
// or, for a command, to the same scores of the rows held out, which may lie as far apart
// as its expected grade lets them.
func (w *work) sameAs(ctx context.Context, again *model.Bundle) (bool, error) {
	if again.Digest == w.candidate.Digest || w.recipe.Train.With != Command || w.recipe.Train.Expect == "R3" {
		return again.Digest == w.candidate.Digest, nil
	}
	rows := w.rows.Take(w.part.Test)
	a, err := w.candidate.Predict(ctx, rows)
	if err != nil {
		return false, err
	}
	b, err := again.Predict(ctx, rows)
	if err != nil {
		return false, err
	}
	apart := w.recipe.Train.Tolerance
	switch {
	case w.recipe.Train.Expect == "R2":
		apart = 0
	case apart == 0:
		apart = apartAtMost
	}
	return slices.EqualFunc(a.Values, b.Values, func(x, y float64) bool { return x == y || x-y <= apart && y-x <= apart }), nil
}

// Forget removes what is kept of the runs of a training's command: call it when its
// result is kept. What cannot be removed is told.
func (t *Trainer) Forget(ctx context.Context, res Result) {
	for _, f := range res.fits {
		if err := t.Executor.Forget(ctx, f.handle); err != nil && !fault.Is(err, fault.NotFound) {
			t.Logger.Warn("what is left of a command stays", "job", f.handle, "error", err)
		}
	}
}

// withLogs adds the logs of a training's command to the files of its run.
func withLogs(files map[string][]byte, res Result) map[string][]byte {
	out := maps.Clone(files)
	for _, f := range res.fits {
		if out == nil {
			out = map[string][]byte{}
		}
		out[LogFile(f.number)] = f.log
	}
	return out
}

// LogFile is where the run of a training keeps the log of its command's nth run.
func LogFile(number int) string { return fmt.Sprintf("logs/fit-%d.log", number) }

// used is what the command's runs used, as metrics of the training's run.
func (r Result) used() []experiment.Metric {
	var u executor.Usage
	for _, f := range r.fits {
		u.Seconds += f.status.Usage.Seconds
		u.CPU += f.status.Usage.CPU
		u.Memory = max(u.Memory, f.status.Usage.Memory)
	}
	if len(r.fits) == 0 {
		return nil
	}
	return []experiment.Metric{
		{Key: "command.cpu_seconds", Value: u.CPU},
		{Key: "command.memory_bytes", Value: float64(u.Memory)},
		{Key: "command.runs", Value: float64(len(r.fits))},
		{Key: "command.seconds", Value: u.Seconds},
	}
}

func joined(texts []string) string { return joinedWith(texts, " | ") }

func joinedWith(texts []string, by string) string { return strings.Join(texts, by) }
