// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"flyball/experiment"
	"flyball/fault"
)

// below is the path of a file of a run; false when its artifacts lie elsewhere.
func below(location, file string) (string, bool) {
	folder, ours := strings.CutPrefix(location, "mlflow-artifacts:/")
	return strings.TrimSuffix(folder, "/") + "/" + file, ours
}

// evaluation reads what a run predicted. A run that keeps nothing is a NotFound fault.
func (f *Finder) evaluation(ctx context.Context, run experiment.Run) (*Evaluation, error) {
	raw, err := f.small(ctx, run.Location, ManifestFile)
	if err != nil {
		return nil, err
	}
	m, err := ReadManifest(raw)
	if err != nil {
		return nil, err
	}
	plain, errPlain := f.stat(ctx, run, PredictionsFile)
	zip, errZip := f.stat(ctx, run, PredictionsFileZip)
	switch {
	case errPlain != nil || errZip != nil:
		return nil, errors.Join(errPlain, errZip)
	case plain && zip:
		return nil, fault.New(fault.Invalid, "there are both %s and %s", PredictionsFile, PredictionsFileZip).Do("delete one of them")
	case plain:
		return f.predictions(ctx, run, m, PredictionsFile)
	case zip:
		return f.predictions(ctx, run, m, PredictionsFileZip)
	}
	return nil, fault.New(fault.Invalid, "there is %s without %s", ManifestFile, PredictionsFile)
}

// stat reports whether a run has a file.
func (f *Finder) stat(ctx context.Context, run experiment.Run, file string) (bool, error) {
	path, ours := below(run.Location, file)
	if !ours {
		return false, nil
	}
	e, err := f.Artifacts.Stat(ctx, path)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && !e.Folder, err
}

func (f *Finder) predictions(ctx context.Context, run experiment.Run, m Manifest, file string) (*Evaluation, error) {
	path, ours := below(run.Location, file)
	if !ours {
		return nil, fault.New(fault.NotFound, "the artifacts of run %s lie elsewhere", run.ID)
	}
	_, r, err := f.Artifacts.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	e, err := Read(m, file, r)
	return e, errors.Join(err, r.Close())
}

// small reads a file of at most MaxManifest bytes.
func (f *Finder) small(ctx context.Context, location, file string) ([]byte, error) {
	path, ours := below(location, file)
	if !ours {
		return nil, fault.New(fault.NotFound, "the artifacts at %s lie elsewhere", location)
	}
	e, r, err := f.Artifacts.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if e.Size > MaxManifest {
		return nil, errors.Join(fault.New(fault.TooLarge, "%s has more than %d bytes", file, MaxManifest), r.Close())
	}
	b, err := io.ReadAll(io.LimitReader(r, MaxManifest))
	return b, errors.Join(err, r.Close())
}

// environment are the requirements of the model that a run logged, if it did and they
// can be read; they are only shown.
func (f *Finder) environment(ctx context.Context, run experiment.Run) []string {
	const file = "requirements.txt"
	if n := len(run.Outputs); n > 0 {
		m, err := f.Tracker.LoggedModel(ctx, run.Outputs[n-1].ModelID, false)
		if err == nil {
			if b, err := f.small(ctx, m.Location, file); err == nil {
				return strings.Split(string(b), "\n")
			}
		}
	}
	var history []struct {
		Path string `json:"artifact_path"`
	}
	if json.Unmarshal([]byte(tagOf(run, "mlflow.log-model.history")), &history) != nil || len(history) == 0 {
		return nil
	}
	b, err := f.small(ctx, run.Location, history[len(history)-1].Path+"/"+file)
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}
