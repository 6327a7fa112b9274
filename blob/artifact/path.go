// SPDX-License-Identifier: Apache-2.0

package artifact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/fault"
)

// Bounds of a path. It must fit into an index of the database, every folder of it is a
// row, and a name must fit into a folder of the person who downloads it.
const (
	maxPath  = 2000 // bytes
	maxName  = 255  // bytes of one segment
	maxDepth = 100  // segments
)

// Clean is the one form of a file's path, which holds segments and slashes between
// them: 4/8f3c…/artifacts/model/MLmodel. The path is what is left after whoever read
// the request has decoded it once; one that could be decoded again is refused, and so
// is whatever means something to some file system or URL besides a name: empty
// segments, . and .., backslashes, control characters, # and ?, drives and schemes.
// The error is an Invalid fault with MLflow's words.
func Clean(path string) (string, error) {
	if !utf8.ValidString(path) || len(path) > maxPath || strings.Count(path, "/") >= maxDepth || encoded.MatchString(path) {
		return "", invalid()
	}
	for _, r := range path {
		if unicode.IsControl(r) || strings.ContainsRune(`\#?`, r) || r == '\u2028' || r == '\u2029' {
			return "", invalid()
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || len(segment) > maxName || foreign.MatchString(segment) {
			return "", invalid()
		}
	}
	return path, nil
}

// CleanFolder is Clean for a folder: it may end in a slash, and empty is the root.
func CleanFolder(path string) (string, error) {
	if path = strings.TrimSuffix(path, "/"); path == "" {
		return "", nil
	}
	return Clean(path)
}

var (
	foreign = regexp.MustCompile(`^[A-Za-z]:|^(?i:file):|^[A-Za-z][A-Za-z0-9+.-]*:$`) // a drive or a scheme
	encoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

func invalid() error { return fault.New(fault.Invalid, "Invalid path") }

// Owner is the run or logged model that files belong to.
type Owner struct {
	ID   string // of the run or logged model; empty: nobody's
	Root string // the folder that is all its own
}

// id is what a run or a logged model may be called.
var id = regexp.MustCompile(`^[a-zA-Z0-9][\w-]{0,255}$`)

// OwnerOf tells from a path whose it is: …/<run>/artifacts/… or
// …/models/<model>/artifacts/…. Another path is nobody's.
func OwnerOf(path string) Owner {
	segments := strings.Split(path, "/")
	if i := slices.Index(segments, "artifacts"); i > 0 && id.MatchString(segments[i-1]) {
		return Owner{ID: segments[i-1], Root: strings.Join(segments[:i], "/")}
	}
	return Owner{}
}
