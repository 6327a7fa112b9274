// SPDX-License-Identifier: Apache-2.0

package blob_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"flyball/blob"
	"flyball/fault"
)

// files are all files below dir, with their sizes.
func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		out[path] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAFolderSendsBlobsByTheSystem(t *testing.T) {
	b := folder(t, t.TempDir())
	d, err := blob.PutBytes(t.Context(), b, []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := b.OpenAt(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.(*os.File); !ok {
		t.Errorf("got %T, want an *os.File", r)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestALinkInTheFolderIsNoBlob(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := folder(t, dir)
	d := blob.Sum([]byte("abc"))
	if err := os.MkdirAll(filepath.Join(dir, "sha256", string(d[:2])), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "sha256", string(d[:2]), string(d))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.OpenAt(t.Context(), d); !fault.Is(err, fault.NotFound) {
		t.Errorf("open: got %v, want not found", err)
	}
	for i, err := range b.List(t.Context()) {
		t.Errorf("list: got %v, %v, want nothing", i, err)
	}
	if ok, err := b.Delete(t.Context(), d, time.Now().Add(time.Hour)); ok || err != nil {
		t.Errorf("delete: got %v, %v", ok, err)
	}
	if _, _, err := b.Put(t.Context(), strings.NewReader("abc")); err == nil {
		t.Error("put said that it kept bytes behind a link")
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

func TestWhatAKilledServerLeftIsSwept(t *testing.T) {
	dir := t.TempDir()
	b := folder(t, dir)
	if _, err := blob.PutBytes(t.Context(), b, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	left := []string{filepath.Join(dir, "part", "1f"), filepath.Join(dir, "part", "2f")}
	for _, path := range left {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	if n, size, err := b.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 1 || size != 4 || err != nil {
		t.Errorf("got %d, %d, %v; want the old one", n, size, err)
	}
	if n, size, err := b.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1 || size != 4 || err != nil {
		t.Errorf("got %d, %d, %v; want the other", n, size, err)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("got %v, want the blob alone", got)
	}
}

func TestAPartThatIsBeingWrittenIsNotSwept(t *testing.T) {
	dir := t.TempDir()
	b, other := folder(t, dir), folder(t, dir)
	body := io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), readerFunc(func() {
		if n, _, err := other.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
			t.Errorf("got %d, %v; want nothing swept", n, err)
		}
	}))
	d, _, err := b.Put(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := b.Has(t.Context(), d); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestAFolderThatIsGoneIsNotAMissingBlob(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	b := folder(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Put(t.Context(), strings.NewReader("abc")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestALargeBlobIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	b := folder(t, dir)
	seen := int64(0)
	slow := iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 10)))
	watch := io.MultiReader(bytes.NewReader(make([]byte, 5<<20)), slow, readerFunc(func() {
		for _, n := range files(t, dir) {
			seen = max(seen, n)
		}
	}))
	d, n, err := b.Put(t.Context(), watch)
	if err != nil || n != 5<<20+10 {
		t.Fatalf("got %d, %v", n, err)
	}
	if seen < 4<<20 {
		t.Errorf("at its end %d bytes were on the disk: it is held in memory", seen)
	}
	got := files(t, dir)
	if len(got) != 1 || got[filepath.Join(dir, "sha256", string(d[:2]), string(d))] != n {
		t.Errorf("got %v, want one file of %d", got, n)
	}
}

// readerFunc is called once, and is at its end.
type readerFunc func()

func (f readerFunc) Read([]byte) (int, error) { f(); return 0, io.EOF }

func TestAPutThatIsGivenUpLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	b := folder(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	endless := io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), endlessFunc(cancel))
	if _, _, err := b.Put(ctx, endless); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was given up", err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

// endlessFunc is called at each read, and never ends.
type endlessFunc func()

func (f endlessFunc) Read(p []byte) (int, error) { f(); return len(p), nil }

// TestAServerKilledAtAnyMomentKeepsWholeBlobsOnly kills a child that puts blobs, at
// whatever it is doing.
func TestAServerKilledAtAnyMomentKeepsWholeBlobsOnly(t *testing.T) {
	if dir := os.Getenv("FLYBALL_BLOBS"); dir != "" {
		putForever(t, dir)
		return
	}
	dir := t.TempDir()
	for round := range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), "FLYBALL_BLOBS="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, 65*(1+round)) // each a digest and a line's end
		if _, err := io.ReadFull(out, said); err != nil {
			t.Fatal(err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed
		b := folder(t, dir)
		for line := range strings.Lines(string(said)) {
			if ok, err := b.Has(t.Context(), blob.Digest(strings.TrimSpace(line))); !ok || err != nil {
				t.Errorf("a blob that was put is gone: %v", err)
			}
		}
		for i, err := range b.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := blob.ReadAll(t.Context(), b, i.Digest, 1<<30); err != nil {
				t.Errorf("%s: %v", i.Digest, err)
			}
		}
	}
}

func putForever(t *testing.T, dir string) {
	b := folder(t, dir)
	for {
		for _, size := range []int64{10, 3 << 20} {
			d, _, err := b.Put(t.Context(), io.LimitReader(rand.Reader, size))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println(d)
		}
	}
}
