// SPDX-License-Identifier: Apache-2.0

package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/fault"
	"flyball/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const run = "4/a06/artifacts"

func tree(t *testing.T, quota int64) (*artifact.Tree, *blob.Bucket) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	blobs := blob.Memory()
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	now := func() time.Time { return time.UnixMilli(1_795_574_808_679) }
	return artifact.New(artifact.Options{Blobs: blobs, Store: db, Quota: quota, Now: now}), blobs
}

func put(t *testing.T, tr *artifact.Tree, path, text string) artifact.Entry {
	t.Helper()
	e, err := tr.Put(t.Context(), path, strings.NewReader(text))
	if err != nil {
		t.Fatalf("put %s: %v", path, err)
	}
	return e
}

func read(t *testing.T, tr *artifact.Tree, path string) string {
	t.Helper()
	e, r, err := tr.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || int64(len(b)) != e.Size {
		t.Fatalf("read %s: %d of %d bytes, %v", path, len(b), e.Size, err)
	}
	return string(b)
}

// listed is a folder as one line: names, folders with a slash.
func listed(t *testing.T, tr *artifact.Tree, folder string) string {
	t.Helper()
	es, err := tr.List(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		if e.Folder {
			e.Path += "/"
		}
		names = append(names, e.Path)
	}
	return strings.Join(names, " ")
}

func TestFilesComeBackAsTheyWerePut(t *testing.T) {
	tr, blobs := tree(t, 0)
	for _, c := range []struct{ path, text string }{
		{run + "/d.json", "{}"}, {run + "/data/empty.txt", ""}, {run + "/data/name with space é.txt", "x"}, {run + "/data/sub/g.bin", "\x00\x01\x02"},
	} {
		e := put(t, tr, c.path, c.text)
		want := artifact.Entry{Path: c.path, Digest: blob.Sum([]byte(c.text)), Size: int64(len(c.text)), At: 1_795_574_808_679}
		if e != want {
			t.Errorf("got %+v, want %+v", e, want)
		}
		if got, err := tr.Stat(t.Context(), c.path); got != want || err != nil {
			t.Errorf("stat: got %+v, %v", got, err)
		}
		if got := read(t, tr, c.path); got != c.text {
			t.Errorf("%s: got %q", c.path, got)
		}
	}
	for _, c := range []struct{ folder, want string }{
		{"", "4/"},
		{"/", "4/"},
		{"4", "a06/"},
		{run, "d.json data/"},
		{run + "/data", "empty.txt name with space é.txt sub/"},
		{run + "/data/", "empty.txt name with space é.txt sub/"},
		{run + "/d.json", ""},
		{run + "/nope", ""},
		{run + "/data/sub", "g.bin"},
	} {
		if got := listed(t, tr, c.folder); got != c.want {
			t.Errorf("list %q: got %q, want %q", c.folder, got, c.want)
		}
	}
	put(t, tr, run+"/d.json", "{\"a\":1}")
	if got := read(t, tr, run+"/d.json"); got != "{\"a\":1}" {
		t.Errorf("after it was replaced: got %q", got)
	}
	put(t, tr, run+"/copy.json", "{}")
	if _, err := blobs.Size(t.Context(), blob.Sum([]byte("{}"))); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	tr, _ := tree(t, 0)
	ctx := t.Context()
	put(t, tr, run+"/dir/a.txt", "a")
	unread := iotest.ErrReader(errors.New("it was read"))
	_, overFolder := tr.Put(ctx, run+"/dir", unread)
	_, belowFile := tr.Put(ctx, run+"/dir/a.txt/b", unread)
	_, deep := tr.Put(ctx, run+"/dir/a.txt/b/c/d", unread)
	_, dirty := tr.Put(ctx, run+"/../x", unread)
	_, slash := tr.Put(ctx, run+"/x/", unread)
	_, _, missing := tr.Open(ctx, run+"/zz.txt")
	_, _, folder := tr.Open(ctx, run+"/dir")
	_, _, dirtyOpen := tr.Open(ctx, "../x")
	_, dirtyList := tr.List(ctx, "..")
	_, dirtyStat := tr.Stat(ctx, "%2e%2e")
	for _, c := range []struct {
		name string
		err  error
		kind fault.Kind
		want string
	}{
		{"a file over a folder", overFolder, fault.Invalid, "'4/a06/artifacts/dir' is a directory, not a file"},
		{"a file below a file", belowFile, fault.Invalid, "'4/a06/artifacts/dir/a.txt' is a file, and nothing can lie below it"},
		{"a file deep below a file", deep, fault.Invalid, "'4/a06/artifacts/dir/a.txt' is a file, and nothing can lie below it"},
		{"a path that climbs", dirty, fault.Invalid, "Invalid path"},
		{"a file with a slash at its end", slash, fault.Invalid, "Invalid path"},
		{"what is not there", missing, fault.NotFound, "No such artifact: '4/a06/artifacts/zz.txt'"},
		{"a folder opened as a file", folder, fault.Invalid, "'4/a06/artifacts/dir' is a directory, not a file"},
		{"opening a path that climbs", dirtyOpen, fault.Invalid, "Invalid path"},
		{"listing a path that climbs", dirtyList, fault.Invalid, "Invalid path"},
		{"a path encoded twice", dirtyStat, fault.Invalid, "Invalid path"},
		{"removing a path that climbs", tr.Remove(ctx, ".."), fault.Invalid, "Invalid path"},
		{"removing everything", tr.Remove(ctx, ""), fault.Invalid, "Invalid path"},
		{"a link to what is not kept", tr.Link(ctx, run+"/l", blob.Sum([]byte("unknown")), 7), fault.NotFound, "there is no blob " + string(blob.Sum([]byte("unknown")))},
		{"a link over a folder", tr.Link(ctx, run+"/dir", blob.Sum([]byte("a")), 1), fault.Invalid, "'4/a06/artifacts/dir' is a directory, not a file"},
		{"a link that climbs", tr.Link(ctx, "../l", blob.Sum([]byte("a")), 1), fault.Invalid, "Invalid path"},
	} {
		if !fault.Is(c.err, c.kind) || c.err.Error() != c.want {
			t.Errorf("%s: got %v, want %s: %s", c.name, c.err, c.kind, c.want)
		}
	}
	if got := listed(t, tr, run); got != "dir/" {
		t.Errorf("afterwards there is %q, want only what was put", got)
	}
}

func TestAnUploadThatBreaksOffChangesNothing(t *testing.T) {
	tr, blobs := tree(t, 0)
	put(t, tr, run+"/a", "before")
	broken := errors.New("the line was cut")
	for _, path := range []string{run + "/a", run + "/new/b"} {
		for _, head := range []int{3, 3 << 20} {
			r := io.MultiReader(bytes.NewReader(make([]byte, head)), iotest.ErrReader(broken))
			if _, err := tr.Put(t.Context(), path, r); !errors.Is(err, broken) {
				t.Errorf("got %v, want %v", err, broken)
			}
		}
	}
	if got := listed(t, tr, run); got != "a" || read(t, tr, run+"/a") != "before" {
		t.Errorf("got %q with %q, want what was there before", got, read(t, tr, run+"/a"))
	}
	n := 0
	for range blobs.List(t.Context()) {
		n++
	}
	if n != 1 {
		t.Errorf("%d blobs are kept, want 1", n)
	}
}

func TestARunHoldsNoMoreThanItsQuota(t *testing.T) {
	tr, _ := tree(t, 100)
	ctx := t.Context()
	model := "4/models/m-b0000000000000000000000000000006/artifacts"
	put(t, tr, run+"/a", strings.Repeat("a", 60))
	put(t, tr, run+"/b/c", strings.Repeat("b", 40))
	put(t, tr, run+"/a", strings.Repeat("c", 60)) // in the place of the first
	put(t, tr, "4/a07/artifacts/a", strings.Repeat("a", 100))
	put(t, tr, model+"/a", strings.Repeat("a", 100))
	put(t, tr, run+"/nothing", "")
	for _, c := range []struct {
		path string
		size int
		kind fault.Kind
		want string
	}{
		{run + "/one", 1, fault.TooLarge, "The files of a06 would take more than its quota of 100B; delete some of them, or have whoever runs the server raise --artifact-quota"},
		{run + "/a", 61, fault.TooLarge, "The files of a06 would take more than its quota of 100B; delete some of them, or have whoever runs the server raise --artifact-quota"},
		{model + "/b", 5 << 20, fault.TooLarge, "The files of m-b0000000000000000000000000000006 would take more than its quota of 100B; delete some of them, or have whoever runs the server raise --artifact-quota"},
		{"elsewhere/a", 1, fault.Invalid, "'elsewhere/a' belongs to no run and no logged model, and this server has a quota for each; put it below the artifact_uri of a run"},
	} {
		if _, err := tr.Put(ctx, c.path, bytes.NewReader(make([]byte, c.size))); !fault.Is(err, c.kind) || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.path, err, c.want)
		}
	}
	if err := tr.Remove(ctx, run+"/b"); err != nil {
		t.Fatal(err)
	}
	put(t, tr, run+"/d", strings.Repeat("d", 40))
	if err := tr.Link(ctx, run+"/linked", blob.Sum([]byte(strings.Repeat("a", 100))), 100); err != nil {
		t.Errorf("a link, which keeps nothing more: %v", err)
	}
}

func TestFilesPutAtOnceKeepWithinTheQuota(t *testing.T) {
	tr, _ := tree(t, 100)
	var putting sync.WaitGroup
	for i := range 16 {
		putting.Go(func() {
			_, err := tr.Put(t.Context(), fmt.Sprintf("%s/%d", run, i), strings.NewReader(strings.Repeat("x", 30)))
			if err != nil && !fault.Is(err, fault.TooLarge) {
				t.Error(err)
			}
		})
	}
	putting.Wait()
	es, err := tr.List(t.Context(), run)
	if err != nil || len(es) != 3 {
		t.Errorf("got %d files of 30 bytes, %v; want 3 within 100", len(es), err)
	}
}

func TestOfFilesPutAtOnceUnderOneNameOneIsThereWhole(t *testing.T) {
	tr, _ := tree(t, 0)
	var putting sync.WaitGroup
	for i := range 8 {
		putting.Go(func() {
			for range 5 {
				if _, err := tr.Put(t.Context(), run+"/a", strings.NewReader(strings.Repeat(string(rune('a'+i)), 1000+i))); err != nil {
					t.Error(err)
				}
				e, r, err := tr.Open(t.Context(), run+"/a")
				if err != nil {
					t.Error(err)
					continue
				}
				b, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil || blob.Sum(b) != e.Digest {
					t.Errorf("a file is mixed: %v", err)
				}
			}
		})
	}
	putting.Wait()
}

func TestATreeIsRemovedWithoutItsNeighbours(t *testing.T) {
	tr, _ := tree(t, 0)
	for _, p := range []string{"/a/x", "/a/y/z", "/a.txt", "/a-b/x", "/a0", "/ab"} {
		put(t, tr, run+p, p)
	}
	for range 2 { // twice is once
		if err := tr.Remove(t.Context(), run+"/a"); err != nil {
			t.Fatal(err)
		}
	}
	if got := listed(t, tr, run); got != "a-b/ a.txt a0 ab" {
		t.Errorf("got %q", got)
	}
	if err := tr.Remove(t.Context(), run+"/ab"); err != nil || listed(t, tr, run) != "a-b/ a.txt a0" {
		t.Errorf("got %q, %v", listed(t, tr, run), err)
	}
	put(t, tr, run+"/a", "now a file")
}

func TestATreeIsWalkedAndCopied(t *testing.T) {
	tr, _ := tree(t, 0)
	walked := func(path string) string {
		var out []string
		for e, err := range tr.Walk(t.Context(), path) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e.Path)
		}
		return strings.Join(out, " ")
	}
	for _, p := range []string{"m/MLmodel", "m/data/a", "m/b", "z"} {
		put(t, tr, "1/r/artifacts/"+p, p)
	}
	if err := tr.Copy(t.Context(), "1/r/artifacts/m", "1/r/artifacts/m/again"); err != nil {
		t.Fatal(err)
	}
	if err := tr.Copy(t.Context(), "1/r/artifacts/z", "2/z"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"1/r/artifacts/m/again", "1/r/artifacts/m/again/MLmodel 1/r/artifacts/m/again/b 1/r/artifacts/m/again/data/a"},
		{"2", "2/z"},
		{"2/z", "2/z"},
		{"3", ""},
		{"", "1/r/artifacts/m/MLmodel 1/r/artifacts/m/again/MLmodel 1/r/artifacts/m/again/b 1/r/artifacts/m/again/data/a 1/r/artifacts/m/b 1/r/artifacts/m/data/a 1/r/artifacts/z 2/z"},
	} {
		if got := walked(c.path); got != c.want {
			t.Errorf("walk %q:\ngot  %s\nwant %s", c.path, got, c.want)
		}
	}
	for range tr.Walk(t.Context(), "1") {
		break // who has seen enough may stop
	}
	for _, err := range tr.Walk(t.Context(), "..") {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want invalid", err)
		}
	}
	if got := read(t, tr, "2/z"); got != "z" {
		t.Errorf("got %q", got)
	}
}

// hasty collects bytes as soon as they are put.
type hasty struct{ *blob.Bucket }

func (h hasty) Put(ctx context.Context, r io.Reader) (blob.Digest, int64, error) {
	d, n, err := h.Bucket.Put(ctx, r)
	if err == nil {
		_, err = h.Delete(ctx, d, time.Now().Add(time.Hour))
	}
	return d, n, err
}

func TestAFileWhoseBytesWereCollectedMeanwhileIsToBePutAgain(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	blobs := hasty{blob.Memory()}
	tr := artifact.New(artifact.Options{Blobs: blobs, Store: db})
	if _, err := tr.Put(t.Context(), run+"/a", strings.NewReader("a")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	if err := errors.Join(db.Close(), blobs.Close()); err != nil {
		t.Error(err)
	}
}

// lossy loses blobs.
type lossy struct{ *blob.Bucket }

func (lossy) OpenAt(context.Context, blob.Digest) (io.ReadSeekCloser, int64, error) {
	return nil, 0, fault.New(fault.NotFound, "there is no such blob")
}

func TestAFileWhoseBytesAreGoneIsNotAMissingFile(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	blobs := lossy{blob.Memory()}
	tr := artifact.New(artifact.Options{Blobs: blobs, Store: db})
	put(t, tr, run+"/a", "a")
	if _, _, err := tr.Open(t.Context(), run+"/a"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable: a client would take it for a file that was never there", err)
	}
	if err := errors.Join(db.Close(), blobs.Close()); err != nil {
		t.Error(err)
	}
}
