// SPDX-License-Identifier: Apache-2.0

// Package document writes what a command measured into the place of a document that is
// kept for it. It refuses to write a document that has no such place.
package document

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// ends is the line after what was measured.
const ends = "<!-- end -->\n"

// Write puts what tell writes between the line that names the command and the end mark,
// in place of what stood there.
func Write(path, command string, tell func(io.Writer)) error {
	begins := "<!-- made by: " + command + " -->\n"
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(raw), begins)
	_, after, closed := strings.Cut(rest, ends)
	if !found || !closed {
		return fmt.Errorf("%s has no place for what was measured, between %q and %q", path, strings.TrimSpace(begins), strings.TrimSpace(ends))
	}
	var b strings.Builder
	b.WriteString(before + begins)
	tell(&b)
	b.WriteString(ends + after)
	return os.WriteFile(path, []byte(b.String()), 0o644) //nolint:gosec // a document
}
