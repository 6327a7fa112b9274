// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"flyball/fault"
	"flyball/governance/access"
)

// exportVersion answers with a version as one archive. Its first byte comes when all that
// belongs to it was found; what breaks off later ends the connection.
func (f *face) exportVersion(w http.ResponseWriter, r *http.Request) {
	model := r.PathValue("model")
	version, err := strconv.Atoi(r.PathValue("version"))
	if err != nil || version < 1 {
		f.writeProblem(w, r, fault.New(fault.Invalid, "%q is not the number of a version", r.PathValue("version")))
		return
	}
	data := r.URL.Query().Get("data")
	if data != "" && data != "whole" && data != "digests" {
		f.writeProblem(w, r, fault.New(fault.Invalid, "data is %q; it is whole or digests", data))
		return
	}
	out := &late{w: w, name: fmt.Sprintf("%s-%d.tar", model, version)}
	if err := f.Control.ExportVersion(r.Context(), out, model, version, data != "digests"); err != nil {
		if !out.begun {
			f.writeProblem(w, r, err)
			return
		}
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
}

// late writes the head of an archive's answer before its first byte.
type late struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

// Write implements io.Writer.
func (l *late) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-tar")
		l.w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", l.name))
	}
	return l.w.Write(b)
}

// importVersion takes an archive of a version and answers with a wire.Brought. It asks for
// the same as an apply: the program of a command may be among what it brings.
func (f *face) importVersion(w http.ResponseWriter, r *http.Request) {
	got, err := f.Control.ImportVersion(r.Context(), access.Actor(r.Context()), http.MaxBytesReader(w, r.Body, maxData))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.Wrap(err, fault.Invalid, "the archive broke off; nothing was brought in")
	}
	if err != nil {
		f.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(got) // the caller may have gone
}
