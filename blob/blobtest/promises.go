// SPDX-License-Identifier: Apache-2.0

package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Promises checks what shipments, checkpoints and the attempts of jobs rely on in an empty
// bucket: the first of several writers wins, what is written or deleted is seen at once,
// lists are whole and in order, and a write that is broken off leaves nothing.
func Promises(t *testing.T, b *gocloud.Bucket) {
	for size, name := range map[int]string{20: "small", 9 << 20: "large"} { // a large one is written in parts
		t.Run("of writers at once the first wins with a "+name+" object", func(t *testing.T) { firstWins(t, b, "once/"+name, size) })
	}
	t.Run("what is written and deleted is seen at once", func(t *testing.T) { seen(t, b) })
	t.Run("lists are whole and in order", func(t *testing.T) { inOrder(t, b) })
	t.Run("a write that is broken off leaves nothing", func(t *testing.T) { brokenOff(t, b) })
}

// create writes an object unless there is one, as what may happen once is written.
func create(ctx context.Context, b *gocloud.Bucket, key string, p []byte) error {
	return b.Upload(ctx, key, bytes.NewReader(p), &gocloud.WriterOptions{IfNotExist: true, ContentType: "application/octet-stream"})
}

func firstWins(t *testing.T, b *gocloud.Bucket, prefix string, size int) {
	rounds := 20
	if size > 1<<20 {
		rounds = 2
	}
	for round := range rounds {
		key := fmt.Sprintf("%s/%d", prefix, round)
		var writing sync.WaitGroup
		var winner atomic.Int64
		for i := range 8 {
			writing.Go(func() {
				err := create(t.Context(), b, key, bytes.Repeat([]byte{byte('a' + i)}, size))
				switch {
				case err == nil:
					if before := winner.Swap(int64('a' + i)); before != 0 {
						t.Errorf("%s: both %c and %c won", key, rune(before), 'a'+i)
					}
				case size < 1<<20 && gcerrors.Code(err) != gcerrors.FailedPrecondition: // S3 may hang up on a large one
					t.Errorf("%s: got %v (%v)", key, err, gcerrors.Code(err))
				}
			})
		}
		writing.Wait()
		got, err := b.ReadAll(t.Context(), key)
		if err != nil || len(got) != size || int64(got[0]) != winner.Load() || int64(got[size-1]) != winner.Load() {
			t.Errorf("%s: got %d bytes, %v; want those of %c", key, len(got), err, rune(winner.Load()))
		}
		if err := create(t.Context(), b, key, []byte("late")); gcerrors.Code(err) != gcerrors.FailedPrecondition {
			t.Errorf("%s: one that comes later: got %v", key, err)
		}
	}
}

func seen(t *testing.T, b *gocloud.Bucket) {
	ctx := t.Context()
	const key = "model=m/date=2026-11-29/018f-0123456789ab.parquet"
	if _, err := b.ReadAll(ctx, key); gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("what is not there: got %v", err)
	}
	if err := b.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("deleting what is not there: got %v", err)
	}
	for i := range 20 {
		want := strings.Repeat(fmt.Sprint(i), 10)
		if err := b.Upload(ctx, key, strings.NewReader(want), &gocloud.WriterOptions{ContentType: "text/plain"}); err != nil {
			t.Fatal(err)
		}
		if got, err := b.ReadAll(ctx, key); string(got) != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	r, err := b.NewRangeReader(ctx, key, 3, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != strings.Repeat("19", 10)[3:] || err != nil {
		t.Errorf("from byte 3: got %q, %v", got, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if a, err := b.Attributes(ctx, key); err != nil || a.Size != 20 || time.Since(a.ModTime).Abs() > time.Minute {
		t.Errorf("got %+v, %v", a, err)
	}
	if err := b.Delete(ctx, key); err != nil {
		t.Error(err)
	}
	if ok, err := b.Exists(ctx, key); ok || err != nil {
		t.Errorf("after it was deleted: got %v, %v", ok, err)
	}
	if err := create(ctx, b, key, []byte("again")); err != nil {
		t.Errorf("after it was deleted it cannot be made: %v", err)
	}
}

func inOrder(t *testing.T, b *gocloud.Bucket) {
	ctx := t.Context()
	const many = 1100 // S3 gives a thousand at once
	var want []string
	for i := range many {
		want = append(want, fmt.Sprintf("shipments/%c/%020d", 'a'+i%3, i/3+1))
	}
	next := make(chan string)
	var writing sync.WaitGroup
	for range 16 {
		writing.Go(func() {
			for key := range next {
				if err := create(ctx, b, key, []byte(key)); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
	for _, key := range want {
		next <- key
	}
	close(next)
	writing.Wait()
	slices.Sort(want)
	if got := keysOf(t, b, &gocloud.ListOptions{Prefix: "shipments/"}); !slices.Equal(got, want) {
		t.Errorf("got %d of %d, or another order", len(got), many)
	}
	got := keysOf(t, b, &gocloud.ListOptions{Prefix: "shipments/", Delimiter: "/"})
	if slices.Sort(got); !slices.Equal(got, []string{"shipments/a/", "shipments/b/", "shipments/c/"}) {
		t.Errorf("folders: got %v", got)
	}
	for _, key := range want[:3] {
		if err := b.Delete(ctx, key); err != nil {
			t.Error(err)
		}
	}
	if got := keysOf(t, b, &gocloud.ListOptions{Prefix: "shipments/a/"}); len(got) == 0 || got[0] != want[3] {
		t.Errorf("what was deleted is listed")
	}
}

func keysOf(t *testing.T, b *gocloud.Bucket, o *gocloud.ListOptions) (out []string) {
	t.Helper()
	for it := b.List(o); ; {
		x, err := it.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, x.Key); x.IsDir != strings.HasSuffix(x.Key, "/") {
			t.Errorf("%s: a folder: %v", x.Key, x.IsDir)
		}
	}
}

func brokenOff(t *testing.T, b *gocloud.Bucket) {
	for _, size := range []int{20, 9 << 20} {
		key := fmt.Sprintf("broken/%d", size)
		ctx, cancel := context.WithCancel(t.Context())
		whole := bytes.NewReader(bytes.Repeat([]byte{1}, size))
		end := readerFunc(func([]byte) (int, error) { // as who reads finds out at the end that it is wrong
			cancel()
			return 0, errors.New("it is wrong")
		})
		if err := b.Upload(ctx, key, io.MultiReader(whole, end), &gocloud.WriterOptions{ContentType: "application/octet-stream"}); err == nil {
			t.Errorf("%d bytes: a write that was broken off is told as done", size)
		}
		if ok, err := b.Exists(t.Context(), key); ok || err != nil {
			t.Errorf("%d bytes: it is there: %v, %v", size, ok, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

// Read calls f.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
