// SPDX-License-Identifier: Apache-2.0

package ray

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"

	"flyball/fault"
)

// largest bounds one answer: a job that failed has 20 KB of its log in it.
const largest = 64 << 20

// send sends a body, where there is one, and reads the answer into out, where it is wanted.
func (e *Engine) send(ctx context.Context, method, path string, body []byte, out any) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	req, err := http.NewRequestWithContext(ctx, method, e.opts.URL+path, bytes.NewReader(body))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s is not the address of a Ray head", e.opts.URL)
	}
	if e.opts.TokenFile != "" {
		token, err := os.ReadFile(e.opts.TokenFile)
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "the token for Ray cannot be read")
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "Ray does not answer")
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, largest+1))
	_ = resp.Body.Close() // it was read
	switch {
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, "Ray stopped in the middle of its answer")
	case resp.StatusCode/100 != 2:
		return refusal(resp, string(raw))
	case len(raw) > largest:
		return fault.New(fault.Unavailable, "an answer of Ray has more than %d MB", largest>>20)
	case out == nil:
		return nil
	}
	return fault.Wrap(json.Unmarshal(raw, out), fault.Unavailable, "the answer of Ray is not what its API promises")
}

// refusal is what an answer other than 200 means for us. Ray says in text, at the end of
// a traceback, what others say by a code; the head passes on the refusals of a node as a
// failure of its own.
func refusal(resp *http.Response, text string) error {
	said := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) > 1 {
			said = short(line)
		}
	}
	switch code := resp.StatusCode; {
	case strings.Contains(said, " already exists."):
		return fault.New(fault.Conflict, "Ray has one already: %s", said)
	case code == http.StatusNotFound:
		return fault.New(fault.NotFound, "Ray has none: %s", said)
	case code == http.StatusBadRequest, strings.Contains(text, "failed with status code 400:"):
		return fault.New(fault.Invalid, "Ray refuses the job: %s", said)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.New(fault.Unavailable, "Ray does not let us: %s", said).Do("name the file of a token that is valid in the settings of the executor")
	}
	return fault.New(fault.Unavailable, "Ray cannot answer now: %s: %s", resp.Status, said)
}

// short is at most the first 500 bytes of what Ray says, in one line.
func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 500 {
		return strings.ToValidUTF8(text[:500], "") + "…"
	}
	return text
}
