// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bufio"
	"encoding/json"
	"io"
	"iter"
	"net/http"

	"flyball/governance/access"

	"flyball/blob"
	"flyball/experiment/archive"
)

// maxImport bounds the body of one import; the rest comes in further ones.
const maxImport = 1 << 30

// bringIn takes records as lines of JSON (package archive) and answers with an
// archive.Report. With ?dry_run=true it only compares.
func (f *face) bringIn(w http.ResponseWriter, r *http.Request) {
	body := http.MaxBytesReader(w, r.Body, maxImport)
	report, err := f.Importer.Import(r.Context(), access.Actor(r.Context()), r.URL.Query().Get("dry_run") == "true", records(body))
	if err != nil {
		f.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // the caller may have gone
}

// records are the records of a body.
func records(body io.Reader) iter.Seq2[archive.Record, error] {
	return func(yield func(archive.Record, error) bool) {
		stopped := false
		_, err := archive.Lines(body, "the request", func(r archive.Record) error {
			if stopped = !yield(r, nil); stopped {
				return io.EOF
			}
			return nil
		})
		if err != nil && !stopped {
			yield(archive.Record{}, err)
		}
	}
}

// takeOut streams everything that tracking and the registry hold as lines of JSON. The
// last line of a whole answer is {}: without it the answer broke off.
func (f *face) takeOut(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(w, 1<<16)
	lines := json.NewEncoder(out)
	for record, err := range archive.Records(r.Context(), f.Kept) {
		if err == nil {
			err = lines.Encode(record)
		}
		if err != nil {
			if r.Context().Err() == nil {
				f.Logger.ErrorContext(r.Context(), "the export broke off", "error", err)
			}
			return
		}
	}
	_ = lines.Encode(struct{}{}) // the caller may have gone
	_ = out.Flush()
}

// blob streams the bytes of a digest, and breaks off when they are not those of it.
func (f *face) blob(w http.ResponseWriter, r *http.Request) {
	in, err := f.Blobs.Open(r.Context(), blob.Digest(r.PathValue("digest")))
	if err != nil {
		f.writeProblem(w, r, err)
		return
	}
	defer in.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if _, err := io.Copy(w, in); err != nil {
		panic(http.ErrAbortHandler) // the caller must not take what it has for the whole
	}
}
