// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

// worthPressing is how many bytes fit one packet as they are.
const worthPressing = 1400

// press is an answer as it is sent: compressed where its reader takes gzip (RFC 9110,
// section 12.5.3). A page of tables shrinks to a tenth, which on a slow line is most of
// the wait. No page holds a secret beside what a stranger can have it say.
func press(w http.ResponseWriter, r *http.Request, answer []byte) []byte {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(answer) < worthPressing || !takesGzip(r.Header.Get("Accept-Encoding")) {
		return answer
	}
	w.Header().Set("Content-Encoding", "gzip")
	return pressed(answer)
}

// pressed is b under gzip.
func pressed(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b) // into memory: nothing can fail
	_ = z.Close()
	return out.Bytes()
}

// takesGzip reports whether a reader takes gzip, by its header Accept-Encoding.
func takesGzip(accepts string) bool {
	for part := range strings.SplitSeq(accepts, ",") {
		coding, q, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) == "gzip" {
			return strings.Trim(strings.ReplaceAll(q, " ", ""), "0.") != "q="
		}
	}
	return false
}
