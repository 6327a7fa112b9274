// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"flyball/fault"
)

// largest bounds one answer. A page of 500 jobs with their descriptions has some MB.
const largest = 64 << 20

// status is how the API says that something failed.
type status struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// call sends in, where there is one, and reads the answer into out, where it is wanted.
func (s server) call(ctx context.Context, method, path string, in, out any) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s is not the address of a Kubernetes API", s.url)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "flyball")
	token, err := s.token()
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "Kubernetes does not answer")
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, largest+1))
	_ = resp.Body.Close() // it was read
	switch {
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, "Kubernetes stopped in the middle of its answer")
	case resp.StatusCode/100 != 2:
		return refusal(resp, raw)
	case len(raw) > largest:
		return fault.New(fault.Unavailable, "an answer of Kubernetes has more than %d MB", largest>>20)
	case out == nil:
		return nil
	}
	return fault.Wrap(json.Unmarshal(raw, out), fault.Unavailable, "the answer of Kubernetes is not what its API promises")
}

// refusal is what an answer other than 2xx means for us. Who may not ask was told nothing
// about a job, so that is Unavailable: it may be mended while the job runs.
func refusal(resp *http.Response, raw []byte) error {
	var s status
	if json.Unmarshal(raw, &s) != nil || s.Message == "" {
		s.Message = resp.Status
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return fault.New(fault.Unavailable, "Kubernetes does not know us: %s", s.Message).Do("give the executor a token or a certificate that is valid")
	case code == http.StatusForbidden:
		return fault.New(fault.Unavailable, "Kubernetes does not let us: %s", s.Message).Do("give its account the Role that docs/executor-kubernetes.md names, or room in its quota")
	case code == http.StatusNotFound:
		return fault.New(fault.NotFound, "Kubernetes has none: %s", s.Message)
	case code == http.StatusConflict:
		return fault.New(fault.Conflict, "Kubernetes has one already: %s", s.Message)
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity:
		return fault.New(fault.Invalid, "Kubernetes refuses the job: %s", s.Message)
	case code/100 == 3:
		return fault.New(fault.Unavailable, "Kubernetes sends us elsewhere, to %q", resp.Header.Get("Location")).Do("name the address of its API server itself")
	}
	after, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // it may say nothing
	return fault.New(fault.Unavailable, "Kubernetes cannot answer now: %s", s.Message).In(time.Duration(max(0, min(after, 3600))) * time.Second)
}
