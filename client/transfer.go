// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/ident"
)

// Import brings records in, or only compares them, and says what it found.
func (c *Client) Import(ctx context.Context, records []archive.Record, dry bool) (archive.Report, error) {
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	for _, r := range records {
		if err := lines.Encode(r); err != nil {
			return archive.Report{}, err
		}
	}
	res, err := c.send(ctx, http.MethodPost, "/v1/import?dry_run="+strconv.FormatBool(dry), "application/x-ndjson", &body)
	if err != nil {
		return archive.Report{}, err
	}
	defer res.Body.Close()
	var out archive.Report
	err = json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&out)
	return out, fault.Wrap(err, fault.Unavailable, "the server's answer to an import cannot be read")
}

// Export gives every record that the server's tracking and registry hold. An answer
// that broke off is an Unavailable fault.
func (c *Client) Export(ctx context.Context, give func(archive.Record) error) error {
	res, err := c.send(ctx, http.MethodGet, "/v1/export", "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	ended, err := archive.Lines(res.Body, "the server's answer", give)
	if err == nil && !ended {
		err = fault.New(fault.Unavailable, "the server's answer broke off").Do("look into the server's log, and try again")
	}
	return err
}

// Blob reads the bytes of a digest.
func (c *Client) Blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	res, err := c.send(ctx, http.MethodGet, "/v1/blobs/"+url.PathEscape(digest), "", nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// artifacts is where the files of runs and logged models are.
const artifacts = "/api/2.0/mlflow-artifacts/artifacts"

// Artifact is a file of a run or logged model.
type Artifact struct {
	Path string `json:"path"` // in a listing its last segment
	Dir  bool   `json:"is_dir"`
	Size int64  `json:"file_size"`
}

// Artifacts lists a folder below mlflow-artifacts:/.
func (c *Client) Artifacts(ctx context.Context, dir string) ([]Artifact, error) {
	var out struct{ Files []Artifact }
	return out.Files, c.do(ctx, http.MethodGet, artifacts+"?path="+url.QueryEscape(dir), nil, &out)
}

func artifactPath(path string) string {
	return (&url.URL{Path: artifacts + "/" + path}).EscapedPath()
}

// OpenArtifact reads a file below mlflow-artifacts:/.
func (c *Client) OpenArtifact(ctx context.Context, path string) (io.ReadCloser, error) {
	res, err := c.send(ctx, http.MethodGet, artifactPath(path), "", nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// ArtifactDigest is the SHA-256 of a file; false when there is none.
func (c *Client) ArtifactDigest(ctx context.Context, path string) (string, bool, error) {
	res, err := c.send(ctx, http.MethodHead, artifactPath(path), "", nil)
	if f, is := errors.AsType[*fault.Error](err); is && f.Kind == fault.NotFound {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return strings.Trim(res.Header.Get("ETag"), `"`), true, res.Body.Close()
}

// PutArtifact streams a file to a path below mlflow-artifacts:/.
func (c *Client) PutArtifact(ctx context.Context, path string, r io.Reader) error {
	res, err := c.send(ctx, http.MethodPut, artifactPath(path), "application/octet-stream", r)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// RunPlace is where the artifacts of a run lie below mlflow-artifacts:/; empty when
// they lie elsewhere.
func (c *Client) RunPlace(ctx context.Context, id ident.RunID) (string, error) {
	var out struct {
		Run struct {
			Info struct {
				URI string `json:"artifact_uri"`
			}
		}
	}
	err := c.do(ctx, http.MethodGet, "/api/2.0/mlflow/runs/get?run_id="+url.QueryEscape(string(id)), nil, &out)
	return below(out.Run.Info.URI), err
}

// ModelPlace is the same of a logged model.
func (c *Client) ModelPlace(ctx context.Context, id ident.ModelID) (string, error) {
	var out struct {
		Model struct {
			Info struct {
				URI string `json:"artifact_uri"`
			}
		}
	}
	err := c.do(ctx, http.MethodGet, "/api/2.0/mlflow/logged-models/"+url.PathEscape(string(id))+"?allow_deleted=true", nil, &out)
	return below(out.Model.Info.URI), err
}

func below(uri string) string {
	path, ours := strings.CutPrefix(uri, "mlflow-artifacts:/")
	if !ours {
		return ""
	}
	return path
}
