// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// closing counts how often a source is opened and closed.
type closing struct{ open int }

func (c *closing) Close() error {
	c.open--
	return nil
}

func (c *closing) of(name string, b []byte) Source {
	s := BytesSource(name, b)
	return Source{
		Name: name,
		Open: func() (io.ReadCloser, error) {
			in, err := s.Open()
			c.open++
			return struct {
				io.Reader
				io.Closer
			}{in, c}, err
		},
		At: func() (io.ReaderAt, int64, io.Closer, error) {
			in, size, _, err := s.At()
			c.open++
			return in, size, c, err
		},
	}
}

func TestAFileIsClosedAtItsEndAndAtAnErrorMidway(t *testing.T) {
	many := strings.Repeat("1\n", 1<<20)
	group := parquet.Group{"a": parquet.String()}
	number := map[string]Kind{"a": Number}
	for _, c := range []struct {
		name, file string
		b          []byte
		kinds      map[string]Kind
		want       string // of the error; empty: none
	}{
		{"a table", "a.csv", []byte("a\n" + many), nil, ""},
		{"a ragged row while the kinds are looked for", "a.csv", []byte("a\n" + many + "1,2\n"), nil, "2 values"},
		{"a wrong value behind a million", "a.csv", []byte("a\n" + many + "x\n"), number, "\"x\""},
		{"no head", "a.csv", nil, nil, "empty"},
		{"a Parquet file", "a.parquet", foreign(t, "a", group, parquet.ValueOf("1").Level(0, 0, 0)), number, ""},
		{"a wrong value in a Parquet file", "a.parquet", foreign(t, "a", group, parquet.ValueOf("x").Level(0, 0, 0)), number, "\"x\""},
		{"no Parquet file", "a.parquet", []byte("a"), nil, "a.parquet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var files closing
			r, err := Open(files.of(c.file, c.b), CSVOptions{Kinds: c.kinds})
			for err == nil {
				_, err = r.Next()
			}
			if files.open != 0 {
				t.Errorf("%d files are open", files.open)
			}
			if c.want == "" && !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if r == nil {
				return
			}
			if _, again := r.Next(); !errors.Is(again, err) {
				t.Errorf("the second time: got %v, want %v", again, err)
			}
		})
	}
}
