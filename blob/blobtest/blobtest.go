// SPDX-License-Identifier: Apache-2.0

// Package blobtest is the suite that every blob.Store passes. Only tests import it.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"flyball/blob"
	"flyball/fault"
)

// Run checks that stores made by open keep bytes under their digest.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	ctx := context.Background()
	large := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // 3.2 MB
	for _, c := range []struct {
		name   string
		bytes  []byte
		digest blob.Digest
	}{
		{"nothing", nil, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"a few bytes", []byte("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"many bytes", large, blob.Sum(large)},
	} {
		t.Run(c.name+" come back as they were", func(t *testing.T) {
			s := open(t)
			for range 2 { // the second time nothing is written
				d, n, err := s.Put(ctx, bytes.NewReader(c.bytes))
				if err != nil || d != c.digest || n != int64(len(c.bytes)) {
					t.Fatalf("put: got %s, %d, %v; want %s, %d", d, n, err, c.digest, len(c.bytes))
				}
			}
			got, err := blob.ReadAll(ctx, s, c.digest, 1<<30)
			if err != nil || !bytes.Equal(got, c.bytes) {
				t.Errorf("read: %d bytes, %v", len(got), err)
			}
		})
	}
	t.Run("a name that is no digest opens nothing", func(t *testing.T) {
		s := open(t)
		for _, d := range []blob.Digest{"", "../../etc/passwd", blob.Digest(strings.Repeat("A", 64)), blob.Sum([]byte("unknown"))} {
			if _, err := s.Open(ctx, d); !fault.Is(err, fault.NotFound) {
				t.Errorf("open %q: got %v, want not found", d, err)
			}
			if ok, err := s.Has(ctx, d); ok || err != nil {
				t.Errorf("has %q: got %v, %v", d, ok, err)
			}
		}
	})
	t.Run("what breaks off is not kept", func(t *testing.T) {
		s := open(t)
		broken := errors.New("broken off")
		for _, head := range [][]byte{[]byte("abc"), large} {
			if _, _, err := s.Put(ctx, io.MultiReader(bytes.NewReader(head), iotest.ErrReader(broken))); !errors.Is(err, broken) {
				t.Errorf("put: got %v, want %v", err, broken)
			}
			if ok, err := s.Has(ctx, blob.Sum(head)); ok || err != nil {
				t.Errorf("has: got %v, %v", ok, err)
			}
		}
	})
	t.Run("a limit is kept", func(t *testing.T) {
		s := open(t)
		d, _, err := s.Put(ctx, strings.NewReader("abcd"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := blob.ReadAll(ctx, s, d, 3); !fault.Is(err, fault.TooLarge) {
			t.Errorf("got %v, want too large", err)
		}
	})
}
