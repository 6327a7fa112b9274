// SPDX-License-Identifier: Apache-2.0

package mlflowimport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"flyball/experiment"
	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// server reads through the API of MLflow (protocol of 2.x and 3.x).
type server struct {
	base   string // without a slash at its end
	client *http.Client
	login  func(*http.Request)
}

// openServer takes the credentials that MLflow's own clients take, from the same
// variables: MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN.
func openServer(where string) (archive.Source, error) {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" {
		return nil, fault.New(fault.Invalid, "%q is not the address of a server", where).Do("write http://host:5000")
	}
	if u.User != nil {
		return nil, fault.New(fault.Invalid, "an address with a password would be kept in the shell's history").
			Do("set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
	}
	s := &server{base: strings.TrimRight(where, "/"), client: &http.Client{Timeout: 10 * time.Minute}, login: func(*http.Request) {}}
	user, password, token := os.Getenv("MLFLOW_TRACKING_USERNAME"), os.Getenv("MLFLOW_TRACKING_PASSWORD"), os.Getenv("MLFLOW_TRACKING_TOKEN")
	switch {
	case user != "" && password != "":
		s.login = func(r *http.Request) { r.SetBasicAuth(user, password) }
	case token != "":
		s.login = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	return s, nil
}

// Close lets idle connections go.
func (s *server) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Count says nothing: the API counts nothing.
func (s *server) Count(context.Context) (map[string]int64, error) { return nil, nil }

// maxAnswer bounds one answer of the other server.
const maxAnswer = 256 << 20

// do sends a request, and reads its answer into out unless out is nil. body nil is GET.
func (s *server) do(ctx context.Context, call string, query url.Values, body, out any) error {
	method, in := http.MethodGet, io.Reader(nil)
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		method, in = http.MethodPost, bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.base+call+"?"+query.Encode(), in)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.send(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(out); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the answer of %s cannot be read", call)
	}
	return nil
}

func (s *server) send(r *http.Request) (*http.Response, error) {
	s.login(r)
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the server %s cannot be reached", s.base)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 300)) // what can be read of it
	kind := fault.Unavailable
	switch answer.StatusCode {
	case http.StatusNotFound:
		kind = fault.NotFound
	case http.StatusUnauthorized:
		kind = fault.Unauthenticated
	case http.StatusForbidden:
		kind = fault.Denied
	}
	return nil, fault.New(kind, "%s answered %s: %s", s.base, answer.Status, bytes.TrimSpace(said))
}

// pages calls do for each page until its token is empty.
func pages(do func(token string) (next string, err error)) error {
	for token := ""; ; {
		next, err := do(token)
		if err != nil || next == "" {
			return err
		}
		token = next
	}
}

const api = "/api/2.0/mlflow/"

// Records reads everything.
func (s *server) Records(ctx context.Context) iter.Seq2[archive.Record, error] {
	return records(ctx, s)
}

type pair struct{ Key, Value string }

func (s *server) experiments(ctx context.Context) ([]experiment.Experiment, error) {
	var out []experiment.Experiment
	err := pages(func(token string) (string, error) {
		var page struct {
			Experiments []struct {
				ID       json.Number `json:"experiment_id"`
				Name     string
				Location string `json:"artifact_location"`
				Stage    string `json:"lifecycle_stage"`
				Created  int64  `json:"creation_time"`
				Updated  int64  `json:"last_update_time"`
				Tags     []pair
			}
			Next string `json:"next_page_token"`
		}
		err := s.do(ctx, api+"experiments/search", nil, map[string]any{
			"max_results": 1000, "view_type": "ALL", "page_token": token, "order_by": []string{"experiment_id ASC"},
		}, &page)
		for _, e := range page.Experiments {
			id, err := e.ID.Int64()
			if err != nil {
				return "", fault.Wrap(err, fault.Unavailable, "the experiment %q has no number", e.ID)
			}
			x := experiment.Experiment{
				ID: ident.ExperimentID(id), Name: e.Name, Location: e.Location, Deleted: e.Stage == "deleted", Created: e.Created, Updated: e.Updated,
				Tags: convert[experiment.Tag](e.Tags),
			}
			if ours(x.Location) {
				x.Location = "mlflow-artifacts:/" + x.ID.String()
			}
			out = append(out, x)
		}
		return page.Next, err
	})
	return out, err
}

func convert[T ~struct{ Key, Value string }](in []pair) []T {
	out := make([]T, len(in))
	for i, p := range in {
		out[i] = T(p)
	}
	return out
}

// run is a run as the API writes it.
type run struct {
	Info struct {
		ID       ident.RunID `json:"run_id"`
		Name     string      `json:"run_name"`
		User     string      `json:"user_id"`
		Status   string      `json:"status"`
		Start    int64       `json:"start_time"`
		End      int64       `json:"end_time"`
		Location string      `json:"artifact_uri"`
		Stage    string      `json:"lifecycle_stage"`
	}
	Data struct {
		Metrics      []struct{ Key string }
		Params, Tags []pair
	}
	Inputs struct {
		Datasets []struct {
			Tags    []pair
			Dataset struct {
				Name, Digest, Source, Schema, Profile string
				SourceType                            string `json:"source_type"`
			}
		} `json:"dataset_inputs"`
		Models []struct {
			ID ident.ModelID `json:"model_id"`
		} `json:"model_inputs"`
	}
	Outputs struct {
		Models []struct {
			ID   ident.ModelID `json:"model_id"`
			Step int64
		} `json:"model_outputs"`
	}
}

func (s *server) runs(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error {
	return pages(func(token string) (string, error) {
		var page struct {
			Runs []run
			Next string `json:"next_page_token"`
		}
		err := s.do(ctx, api+"runs/search", nil, map[string]any{
			"experiment_ids": []string{e.ID.String()}, "run_view_type": "ALL", "max_results": 200, "page_token": token, "order_by": []string{"attributes.run_id ASC"},
		}, &page)
		if err != nil {
			return "", err
		}
		for _, r := range page.Runs {
			out, points, err := s.run(ctx, e, r)
			if err != nil {
				return "", err
			}
			if err := give(archive.FromRun(e.Name, out, points).Split()...); err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
}

func (s *server) run(ctx context.Context, e experiment.Experiment, r run) (experiment.Run, []experiment.Metric, error) {
	status, err := statusOf(r.Info.Status)
	if err != nil {
		return experiment.Run{}, nil, fault.Wrap(err, fault.Unavailable, "run %s cannot be read", r.Info.ID)
	}
	out := experiment.Run{
		ID: r.Info.ID, Experiment: e.ID, Name: r.Info.Name, User: r.Info.User, Status: status, Start: r.Info.Start, End: r.Info.End,
		Location: r.Info.Location, Deleted: r.Info.Stage == "deleted",
		Params: convert[experiment.Param](r.Data.Params), Tags: convert[experiment.Tag](r.Data.Tags),
	}
	if ours(out.Location) {
		out.Location = archive.RunLocation(e.ID, out.ID)
	}
	for _, in := range r.Inputs.Datasets {
		d := in.Dataset
		out.Inputs = append(out.Inputs, experiment.Input{
			Dataset: experiment.Dataset{Name: d.Name, Digest: d.Digest, SourceType: d.SourceType, Source: d.Source, Schema: d.Schema, Profile: d.Profile},
			Tags:    convert[experiment.Tag](in.Tags),
		})
	}
	for _, m := range r.Inputs.Models {
		out.Models = append(out.Models, m.ID)
	}
	for _, m := range r.Outputs.Models {
		out.Outputs = append(out.Outputs, experiment.Output{ModelID: m.ID, Step: m.Step})
	}
	var points []experiment.Metric
	for _, m := range r.Data.Metrics {
		of, err := s.history(ctx, out.ID, m.Key)
		if err != nil {
			return out, nil, err
		}
		points = append(points, of...)
	}
	return out, points, nil
}

type point struct {
	Key           string
	Value         archive.Number
	At            int64 `json:"timestamp"`
	Step          int64
	Run           ident.RunID `json:"run_id"`
	DatasetName   string      `json:"dataset_name"`
	DatasetDigest string      `json:"dataset_digest"`
}

func (s *server) history(ctx context.Context, id ident.RunID, key string) ([]experiment.Metric, error) {
	var out []experiment.Metric
	err := pages(func(token string) (string, error) {
		var page struct {
			Metrics []point
			Next    string `json:"next_page_token"`
		}
		q := url.Values{"run_id": {string(id)}, "metric_key": {key}, "max_results": {"25000"}}
		if token != "" {
			q.Set("page_token", token)
		}
		err := s.do(ctx, api+"metrics/get-history", q, nil, &page)
		for _, m := range page.Metrics {
			out = append(out, experiment.Metric{Key: key, Value: float64(m.Value), Timestamp: m.At, Step: m.Step})
		}
		return page.Next, err
	})
	return out, err
}

// loggedModels reads those of an experiment. A server of 2.x knows none.
func (s *server) loggedModels(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error {
	err := s.pagesOfModels(ctx, e, give)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (s *server) pagesOfModels(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error {
	return pages(func(token string) (string, error) {
		var page struct {
			Models []struct {
				Info struct {
					ID       ident.ModelID `json:"model_id"`
					Name     string
					Created  int64           `json:"creation_timestamp_ms"`
					Updated  int64           `json:"last_updated_timestamp_ms"`
					Location string          `json:"artifact_uri"`
					Status   json.RawMessage `json:"status"`
					Message  string          `json:"status_message"`
					Type     string          `json:"model_type"`
					Run      ident.RunID     `json:"source_run_id"`
					Tags     []pair
				}
				Data struct {
					Params  []pair
					Metrics []point
				}
			}
			Next string `json:"next_page_token"`
		}
		err := s.do(ctx, api+"logged-models/search", nil, map[string]any{
			"experiment_ids": []string{e.ID.String()}, "max_results": 100, "page_token": token,
		}, &page)
		if err != nil {
			return "", err
		}
		for _, m := range page.Models {
			out := experiment.LoggedModel{
				ID: m.Info.ID, Experiment: e.ID, Name: m.Info.Name, Type: m.Info.Type, SourceRun: m.Info.Run, Status: modelStatusOf(m.Info.Status),
				StatusMessage: m.Info.Message, Location: m.Info.Location, Created: m.Info.Created, Updated: m.Info.Updated,
				Params: convert[experiment.Param](m.Data.Params), Tags: convert[experiment.Tag](m.Info.Tags),
			}
			if ours(out.Location) {
				out.Location = archive.ModelLocation(e.ID, out.ID)
			}
			for _, p := range m.Data.Metrics {
				out.Metrics = append(out.Metrics, experiment.Metric{
					Key: p.Key, Value: float64(p.Value), Timestamp: p.At, Step: p.Step, ModelID: out.ID,
					RunID: p.Run, DatasetName: p.DatasetName, DatasetDigest: p.DatasetDigest,
				})
			}
			if err := give(archive.FromLoggedModel(e.Name, out)); err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
}

// modelStatusOf reads a status that is written as a name or a number.
func modelStatusOf(raw json.RawMessage) experiment.ModelStatus {
	for i, name := range []string{"LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"} {
		if s := string(raw); s == strconv.Quote(name) || s == strconv.Itoa(i+1) {
			return experiment.ModelStatus(i + 1)
		}
	}
	return experiment.ModelPending
}

func (s *server) registry(ctx context.Context, give func(...archive.Record) error) error {
	return pages(func(token string) (string, error) {
		var page struct {
			Models []struct {
				Name    string
				Created int64  `json:"creation_timestamp"`
				Updated int64  `json:"last_updated_timestamp"`
				About   string `json:"description"`
				Tags    []registry.Tag
				Aliases []struct {
					Alias   string
					Version json.RawMessage
				}
			} `json:"registered_models"`
			Next string `json:"next_page_token"`
		}
		q := url.Values{"max_results": {"100"}}
		if token != "" {
			q.Set("page_token", token)
		}
		if err := s.do(ctx, api+"registered-models/search", q, nil, &page); err != nil {
			return "", err
		}
		for _, m := range page.Models {
			err := give(archive.Record{Model: &registry.Model{
				Name: m.Name, About: m.About, Tags: m.Tags, CreatedAt: time.UnixMilli(m.Created).UTC(), UpdatedAt: time.UnixMilli(m.Updated).UTC(),
			}})
			if err != nil {
				return "", err
			}
			if err := s.versions(ctx, m.Name, give); err != nil {
				return "", err
			}
			for _, a := range m.Aliases {
				n, err := strconv.Atoi(strings.Trim(string(a.Version), `"`))
				if err != nil {
					return "", fault.New(fault.Unavailable, "the alias %s of %s points at %.20q", a.Alias, m.Name, a.Version)
				}
				if err := give(archive.Record{Alias: &archive.Alias{Model: m.Name, Name: a.Alias, Version: n}}); err != nil {
					return "", err
				}
			}
		}
		return page.Next, nil
	})
}

func (s *server) versions(ctx context.Context, model string, give func(...archive.Record) error) error {
	return pages(func(token string) (string, error) {
		var page struct {
			Versions []struct {
				Version json.RawMessage
				Created int64          `json:"creation_timestamp"`
				Updated int64          `json:"last_updated_timestamp"`
				Stage   registry.Stage `json:"current_stage"`
				About   string         `json:"description"`
				Source  string
				Run     ident.RunID `json:"run_id"`
				Link    string      `json:"run_link"`
				User    string      `json:"user_id"`
				Tags    []registry.Tag
			} `json:"model_versions"`
			Next string `json:"next_page_token"`
		}
		q := url.Values{"filter": {"name = '" + strings.ReplaceAll(model, "'", `\'`) + "'"}, "max_results": {"1000"}, "order_by": {"version_number ASC"}}
		if token != "" {
			q.Set("page_token", token)
		}
		if err := s.do(ctx, api+"model-versions/search", q, nil, &page); err != nil {
			return "", err
		}
		for _, v := range page.Versions {
			n, err := strconv.Atoi(strings.Trim(string(v.Version), `"`))
			if err != nil {
				return "", fault.New(fault.Unavailable, "%.20q is no version of %s", v.Version, model)
			}
			err = give(archive.Record{Version: &archive.Version{Version: registry.Version{
				Ref: ident.Ref{Model: model, Version: n}, CreatedAt: time.UnixMilli(v.Created).UTC(), UpdatedAt: time.UnixMilli(v.Updated).UTC(), Stage: v.Stage,
				About: v.About, Source: v.Source, RunID: v.Run, RunLink: v.Link, CreatedBy: v.User, Tags: v.Tags,
			}}})
			if err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
}

// Files walks the artifacts of a run or logged model through the artifact proxy.
func (s *server) Files(ctx context.Context, owner archive.Record) iter.Seq2[archive.File, error] {
	return func(yield func(archive.File, error) bool) {
		where, err := s.location(ctx, owner)
		if err == nil {
			err = s.walk(ctx, where, "", yield)
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(archive.File{}, err)
		}
	}
}

func (s *server) location(ctx context.Context, owner archive.Record) (string, error) {
	var where string
	switch {
	case owner.Run != nil:
		var out struct{ Run run }
		if err := s.do(ctx, api+"runs/get", url.Values{"run_id": {string(owner.Run.ID)}}, nil, &out); err != nil {
			return "", err
		}
		where = out.Run.Info.Location
	case owner.LoggedModel != nil:
		var out struct {
			Model struct {
				Info struct {
					Location string `json:"artifact_uri"`
				}
			}
		}
		if err := s.do(ctx, api+"logged-models/"+url.PathEscape(string(owner.LoggedModel.ID)), nil, nil, &out); err != nil {
			return "", err
		}
		where = out.Model.Info.Location
	}
	below, found := strings.CutPrefix(where, "mlflow-artifacts:/")
	if !found || strings.HasPrefix(below, "/") {
		return "", fault.New(fault.Refused, "the files at %s do not lie on the server", where).Do("leave them out with --no-artifacts; they stay where they are")
	}
	return below, nil
}

const proxy = "/api/2.0/mlflow-artifacts/artifacts"

func (s *server) walk(ctx context.Context, root, dir string, yield func(archive.File, error) bool) error {
	var out struct {
		Files []struct {
			Path  string
			IsDir bool  `json:"is_dir"`
			Size  int64 `json:"file_size"`
		}
	}
	if err := s.do(ctx, proxy, url.Values{"path": {path.Join(root, dir)}}, nil, &out); err != nil {
		return err
	}
	for _, f := range out.Files {
		p := path.Join(dir, path.Base(f.Path))
		if f.IsDir {
			if err := s.walk(ctx, root, p, yield); err != nil {
				return err
			}
			continue
		}
		file := archive.File{Path: p, Size: f.Size, Open: func(ctx context.Context) (io.ReadCloser, error) { return s.file(ctx, path.Join(root, p)) }}
		if !yield(file, nil) {
			return errStop
		}
	}
	return nil
}

func (s *server) file(ctx context.Context, p string) (io.ReadCloser, error) {
	u := (&url.URL{Path: proxy + "/" + p}).EscapedPath()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+u, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", p, err)
	}
	answer, err := s.send(r)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}
