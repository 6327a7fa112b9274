// SPDX-License-Identifier: Apache-2.0

package rest

import "net/http"

// backup streams a copy of everything, as docs/formats/backup.md has it. An answer that
// breaks off has no manifest, so nobody takes it for a whole one.
func (f *face) backup(w http.ResponseWriter, r *http.Request) {
	out := &late{w: w, name: "flyball-backup.tar"}
	if err := f.Backup(r.Context(), out); err != nil {
		if !out.begun {
			f.writeProblem(w, r, err)
			return
		}
		if r.Context().Err() == nil {
			f.Logger.ErrorContext(r.Context(), "the backup broke off", "error", err)
		}
		panic(http.ErrAbortHandler) // the caller must not take what it has for the whole
	}
}
