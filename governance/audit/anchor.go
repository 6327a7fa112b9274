// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
)

// Anchor is where the chain ended at a moment. Kept where whoever may write to the
// database may not, it shows that no record before it was changed, and none cut off.
type Anchor struct {
	At time.Time `json:"at"` // UTC, to the second
	End
}

// String is an anchor in one line: its time, the number of the last record, and its hash.
func (a Anchor) String() string {
	return fmt.Sprintf("%s %d %s", a.At.UTC().Format(time.RFC3339), a.Seq, a.Hash)
}

// ParseAnchor reads what String writes; a date in place of the time will do. What is
// none is an Invalid fault.
func ParseAnchor(line string) (Anchor, error) {
	f := strings.Fields(line)
	if len(f) != 3 {
		return Anchor{}, fault.New(fault.Invalid, "%.100q is no anchor: a time, a number and a hash", line)
	}
	at, err := time.Parse(time.RFC3339, f[0])
	if err != nil {
		at, err = time.Parse(time.DateOnly, f[0])
	}
	seq, seqErr := strconv.ParseInt(f[1], 10, 64)
	raw, hexErr := hex.DecodeString(f[2])
	if err := errors.Join(err, seqErr, hexErr); err != nil || seq < 0 || len(raw) != 32 {
		return Anchor{}, fault.New(fault.Invalid, "%.100q is no anchor: a time, a number and a hash", line)
	}
	return Anchor{At: at.UTC(), End: End{Seq: seq, Hash: strings.ToLower(f[2])}}, nil
}

// maxAnchors bounds the anchors of a file: more than one a day for two thousand years.
const maxAnchors = 1 << 20

// ReadAnchors reads the anchors of a file, one a line; empty lines and those that begin
// with # are left out. The first line that is wrong is named by an Invalid fault.
func ReadAnchors(r io.Reader) ([]Anchor, error) {
	var out []Anchor
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		a, err := ParseAnchor(line)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "line %d: %v", n, err)
		}
		if out = append(out, a); len(out) > maxAnchors {
			return nil, fault.New(fault.TooLarge, "there are more than %d anchors", maxAnchors)
		}
	}
	return out, fault.Wrap(lines.Err(), fault.Invalid, "the anchors cannot be read")
}

// AppendAnchor adds a line to a file of anchors, which is made where there is none, and
// returns when it is on the disk. An anchor that says no more than the last line, on the
// same day, is left out: doing it twice is doing it once. A line that a crash has torn
// is replaced.
func AppendAnchor(path string, a Anchor) error {
	what := fmt.Sprintf("the anchor cannot be written to %s", path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s", what)
	}
	last, whole, err := lastLine(f)
	if err == nil {
		if b, bad := ParseAnchor(last); bad == nil && b.End == a.End && b.At.Format(time.DateOnly) == a.At.UTC().Format(time.DateOnly) {
			return f.Close()
		}
		if err = f.Truncate(whole); err == nil {
			_, err = f.WriteAt([]byte(a.String()+"\n"), whole)
		}
		err = errors.Join(err, f.Sync())
	}
	return fault.Wrap(errors.Join(err, f.Close()), fault.Unavailable, "%s", what)
}

// LastAnchor is the last anchor of a file; false where there is none yet.
func LastAnchor(path string) (Anchor, bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Anchor{}, false, nil
	}
	if err != nil {
		return Anchor{}, false, fault.Wrap(err, fault.Unavailable, "%s cannot be read", path)
	}
	defer func() { _ = f.Close() }()
	last, _, err := lastLine(f)
	if err != nil {
		return Anchor{}, false, fault.Wrap(err, fault.Unavailable, "%s cannot be read", path)
	}
	a, err := ParseAnchor(last)
	return a, err == nil, nil
}

// lastLine is the last whole line of a file, and where it ends.
func lastLine(f *os.File) (string, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	from := max(0, info.Size()-1024) // a line has about a hundred bytes
	tail := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	end := strings.LastIndexByte(string(tail), '\n')
	if end < 0 {
		return "", from, nil
	}
	text := string(tail[:end])
	return text[strings.LastIndexByte(text, '\n')+1:], from + int64(end) + 1, nil
}
