// SPDX-License-Identifier: Apache-2.0

// Package blobtest is the suite that every blob.Store passes. Only tests import it.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"flyball/blob"
	"flyball/fault"
)

// Store is what a place for blobs can do.
type Store interface {
	blob.Store
	OpenAt(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, int64, error)
	Size(ctx context.Context, d blob.Digest) (int64, error)
	Delete(ctx context.Context, d blob.Digest, before time.Time) (bool, error)
	List(ctx context.Context) iter.Seq2[blob.Info, error]
	Sweep(ctx context.Context, before time.Time) (parts int, bytes int64, err error)
}

// Run checks that stores made by open keep bytes under their digest.
func Run(t *testing.T, open func(t *testing.T) Store) {
	kept(t, open)
	t.Run("a blob is read from any place", func(t *testing.T) { readAt(t, open(t)) })
	t.Run("all blobs are listed once", func(t *testing.T) { listed(t, open(t)) })
	t.Run("a blob is deleted when nobody has put it since", func(t *testing.T) { deleted(t, open(t)) })
	t.Run("bytes that are put while they are deleted are there afterwards", func(t *testing.T) { raced(t, open(t)) })
	t.Run("the same bytes put at once are kept once", func(t *testing.T) { atOnce(t, open(t)) })
}

func put(t *testing.T, s Store, text string) blob.Digest {
	t.Helper()
	d, n, err := s.Put(t.Context(), strings.NewReader(text))
	if err != nil || n != int64(len(text)) {
		t.Fatalf("put: got %d, %v", n, err)
	}
	return d
}

func listing(t *testing.T, s Store) []blob.Info {
	t.Helper()
	var out []blob.Info
	for i, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, i)
	}
	return out
}

func readAt(t *testing.T, s Store) {
	large := strings.Repeat("0123456789", 300_000)
	for _, text := range []string{"0123456789", large} {
		d := put(t, s, text)
		r, size, err := s.OpenAt(t.Context(), d)
		if err != nil || size != int64(len(text)) {
			t.Fatalf("got %d, %v; want %d", size, err, len(text))
		}
		for _, at := range []int64{7, 0, size - 3} {
			if got, err := r.Seek(at, io.SeekStart); got != at || err != nil {
				t.Errorf("seek: got %d, %v", got, err)
			}
			b := make([]byte, 3)
			if _, err := io.ReadFull(r, b); err != nil || string(b) != text[at:at+3] {
				t.Errorf("at %d: got %q, %v; want %q", at, b, err, text[at:at+3])
			}
		}
		if end, err := r.Seek(0, io.SeekEnd); end != size || err != nil {
			t.Errorf("the end: got %d, %v", end, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n, err := s.Size(t.Context(), d); n != size || err != nil {
			t.Errorf("size: got %d, %v", n, err)
		}
	}
	for _, d := range []blob.Digest{"", "../x", blob.Sum([]byte("unknown"))} {
		if _, _, err := s.OpenAt(t.Context(), d); !fault.Is(err, fault.NotFound) {
			t.Errorf("open %q: got %v, want not found", d, err)
		}
		if _, err := s.Size(t.Context(), d); !fault.Is(err, fault.NotFound) {
			t.Errorf("size %q: got %v, want not found", d, err)
		}
	}
}

func listed(t *testing.T, s Store) {
	if got := listing(t, s); len(got) != 0 {
		t.Errorf("an empty store: got %v", got)
	}
	start := time.Now().Add(-time.Second) // a file's time is a little coarser
	want := map[blob.Digest]int64{}
	for _, text := range []string{"", "a", "bb", strings.Repeat("c", 2<<20), "a"} {
		want[put(t, s, text)] = int64(len(text))
	}
	got := listing(t, s)
	if !slices.IsSortedFunc(got, func(a, b blob.Info) int { return strings.Compare(string(a.Digest), string(b.Digest)) }) || len(got) != len(want) {
		t.Errorf("got %v, want %d in their order", got, len(want))
	}
	for _, i := range got {
		if size, ok := want[i.Digest]; !ok || size != i.Size || i.Modified.Before(start) || i.Modified.After(time.Now().Add(time.Second)) {
			t.Errorf("got %+v, want size %d, and now", i, size)
		}
	}
	for range s.List(t.Context()) {
		break // who has seen enough may stop
	}
	if n, bytes, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || bytes != 0 || err != nil {
		t.Errorf("parts: got %d, %d, %v; want none", n, bytes, err)
	}
	if after := listing(t, s); len(after) != len(want) {
		t.Errorf("sweeping took blobs: %v", after)
	}
}

func deleted(t *testing.T, s Store) {
	ctx := t.Context()
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	d := put(t, s, "abc")
	for _, c := range []struct {
		what   string
		d      blob.Digest
		before time.Time
		want   bool
	}{
		{"a young blob", d, past, false},
		{"no digest", "../x", future, false},
		{"what is not there", blob.Sum([]byte("x")), future, false},
		{"an old blob", d, future, true},
		{"it again", d, future, false},
	} {
		if ok, err := s.Delete(ctx, c.d, c.before); ok != c.want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", c.what, ok, err, c.want)
		}
	}
	if ok, err := s.Has(ctx, d); ok || err != nil {
		t.Errorf("has: got %v, %v after it was deleted", ok, err)
	}
	if ok, err := s.Keep(ctx, d); ok || err != nil {
		t.Errorf("keep: got %v, %v after it was deleted", ok, err)
	}
	if put(t, s, "abc") != d {
		t.Error("the same bytes have another digest")
	}
	between := time.Now().Add(time.Millisecond)
	for !time.Now().After(between.Add(time.Millisecond)) {
		put(t, s, "other bytes, until the clock has moved on")
	}
	if ok, err := s.Keep(ctx, d); !ok || err != nil {
		t.Errorf("keep: got %v, %v", ok, err)
	}
	if ok, err := s.Delete(ctx, d, between); ok || err != nil {
		t.Errorf("a blob that was kept since: got %v, %v", ok, err)
	}
	put(t, s, "abc")
	if ok, err := s.Delete(ctx, d, between); ok || err != nil {
		t.Errorf("a blob that was put again since: got %v, %v", ok, err)
	}
	if got, err := blob.ReadAll(ctx, s, d, 10); string(got) != "abc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// raced has one side delete what was put before it looked at the clock, as a
// collection does, while the other puts it again and must find it.
func raced(t *testing.T, s Store) {
	ctx := t.Context()
	d := put(t, s, "abc")
	stop := make(chan struct{})
	var deleting sync.WaitGroup
	for range 2 {
		deleting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Delete(ctx, d, time.Now().Add(-200*time.Millisecond)); err != nil {
					t.Error(err)
				}
				if _, err := s.Delete(ctx, blob.Sum([]byte("xyz")), time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		put(t, s, "xyz") // deleted at any moment; Put itself must not fail over it
		put(t, s, "abc")
		if got, err := blob.ReadAll(ctx, s, d, 10); string(got) != "abc" || err != nil {
			t.Fatalf("got %q, %v right after it was put", got, err)
		}
	}
	close(stop)
	deleting.Wait()
}

func atOnce(t *testing.T, s Store) {
	large := strings.Repeat("0123456789abcdef", 100_000)
	var putting sync.WaitGroup
	for range 8 {
		putting.Go(func() {
			if d, n, err := s.Put(t.Context(), strings.NewReader(large)); err != nil || n != int64(len(large)) || d != blob.Sum([]byte(large)) {
				t.Errorf("got %s, %d, %v", d, n, err)
			}
		})
	}
	putting.Wait()
	if got := listing(t, s); len(got) != 1 || got[0].Size != int64(len(large)) {
		t.Errorf("got %v, want one blob", got)
	}
}

func kept(t *testing.T, open func(t *testing.T) Store) {
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
		for _, head := range [][]byte{[]byte("abc"), large} {
			for _, broken := range []error{errors.New("broken off"), io.ErrUnexpectedEOF} { // the second is net/http's
				if _, _, err := s.Put(ctx, io.MultiReader(bytes.NewReader(head), iotest.ErrReader(broken))); !errors.Is(err, broken) {
					t.Errorf("put: got %v, want %v", err, broken)
				}
			}
			if ok, err := s.Has(ctx, blob.Sum(head)); ok || err != nil {
				t.Errorf("has: got %v, %v", ok, err)
			}
		}
		if n, _, err := s.Sweep(ctx, time.Now().Add(time.Hour)); n != 0 || err != nil {
			t.Errorf("%d parts were left behind, %v", n, err)
		}
	})
	t.Run("an error of the reader keeps its kind", func(t *testing.T) {
		s := open(t)
		over := fault.New(fault.TooLarge, "enough")
		for _, head := range [][]byte{nil, large} {
			if _, _, err := s.Put(ctx, io.MultiReader(bytes.NewReader(head), iotest.ErrReader(over))); !fault.Is(err, fault.TooLarge) {
				t.Errorf("got %v, want %v", err, over)
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
