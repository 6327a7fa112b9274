// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/fault"
	"flyball/store"
)

func file(path, text string) artifact.Entry {
	return artifact.Entry{Path: path, Digest: blob.Sum([]byte(text)), Size: int64(len(text)), At: 1_795_574_808_679}
}

func putFile(t *testing.T, db *store.DB, path, text string) {
	t.Helper()
	check(t, db.PutArtifact(t.Context(), file(path, text), artifact.OwnerOf(path), 0))
}

// paths are all files there are.
func paths(t *testing.T, db *store.DB) string {
	t.Helper()
	var out []string
	for e, err := range db.AllArtifacts(t.Context()) {
		check(t, err)
		out = append(out, e.Path)
	}
	return strings.Join(out, " ")
}

func artifacts(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	putFile(t, db, "4/a06/artifacts/b/c", "ccc")
	putFile(t, db, "4/a06/artifacts/B", "b")
	putFile(t, db, "4/a06/artifacts/_", "u")
	putFile(t, db, "4/a06/artifacts/é", "e")
	equal(t, "an entry", must(db.Artifact(ctx, "4/a06/artifacts/b/c"))(t), file("4/a06/artifacts/b/c", "ccc"))
	_, err := db.Artifact(ctx, "4/a06/artifacts/c")
	wants(t, err, fault.NotFound)
	if e := must(db.Artifact(ctx, "4/a06"))(t); !e.Folder || e.Path != "4/a06" {
		t.Errorf("got %+v, want a folder", e)
	}
	var names []string
	for _, e := range must(db.Artifacts(ctx, "4/a06/artifacts"))(t) {
		names = append(names, e.Path)
	}
	equal(t, "by name, as bytes compare", names, []string{"B", "_", "b", "é"})
	equal(t, "what lies in a file", len(must(db.Artifacts(ctx, "4/a06/artifacts/B"))(t)), 0)

	long := must(artifact.Clean("long/" + strings.Repeat(strings.Repeat("é", 100)+"/", 9) + strings.Repeat("x", 180)))(t)
	putFile(t, db, long, "as long as a path can be")
	equal(t, "a long path", must(db.Artifact(ctx, long))(t).Path, long)

	o := artifact.OwnerOf("4/a06/artifacts/b/c")
	for _, c := range []struct {
		path string
		want int64
	}{{"4/a06/artifacts/new", 6}, {"4/a06/artifacts/b/c", 3}, {"4/a06/artifacts/x/y/z", 6}} {
		equal(t, "room for "+c.path, must(db.ArtifactRoom(ctx, c.path, o))(t), c.want)
	}
	for _, path := range []string{"4", "4/a06/artifacts/b", "4/a06/artifacts/B/x", "4/a06/artifacts/B/x/y/z"} {
		_, err := db.ArtifactRoom(ctx, path, o)
		wants(t, err, fault.Invalid)
		wants(t, db.PutArtifact(ctx, file(path, "x"), o, 0), fault.Invalid)
	}
	wants(t, db.PutArtifact(ctx, file("4/a06/artifacts/new", "12345"), o, 10), fault.TooLarge)
	check(t, db.PutArtifact(ctx, file("4/a06/artifacts/b/c", "1234567"), o, 10))
	var owned int
	check(t, raw.QueryRow(`SELECT COUNT(*) FROM artifacts WHERE owner = 'a06'`).Scan(&owned))
	equal(t, "rows of the run, with its own folders", owned, 7)
}

func artifactsRemoved(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	for _, p := range []string{"1/r/artifacts/a/x", "1/r/artifacts/a/y/z", "1/r/artifacts/a.txt", "1/r/artifacts/a0", "1/r/artifacts/a-b/x", "2/q/artifacts/a"} {
		putFile(t, db, p, p)
	}
	check(t, db.RemoveArtifacts(ctx, "1/r/artifacts/a"))
	check(t, db.RemoveArtifacts(ctx, "1/r/artifacts/nope"))
	equal(t, "after a folder was removed", paths(t, db), "1/r/artifacts/a.txt 1/r/artifacts/a0 1/r/artifacts/a-b/x 2/q/artifacts/a")
	check(t, db.RemoveArtifacts(ctx, "1"))
	equal(t, "after all of one experiment", paths(t, db), "2/q/artifacts/a")
	check(t, db.RemoveArtifacts(ctx, ""))
	equal(t, "after all", paths(t, db), "")
	_, err := db.Artifact(ctx, "2")
	wants(t, err, fault.NotFound)
}

// artifactsAtOnce puts and removes in one place: whatever the order, each file that is
// there can be reached through its folders.
func artifactsAtOnce(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	var within atomic.Int64
	atOnce(8, func(i int) {
		for n := range 10 {
			path := fmt.Sprintf("1/r/artifacts/d/%d/%d", i%3, n)
			if i == 7 {
				if err := db.RemoveArtifacts(ctx, "1/r/artifacts/d"); err != nil {
					t.Error(err)
				}
				continue
			}
			if err := db.PutArtifact(ctx, file(path, "x"), artifact.OwnerOf(path), 0); err != nil && !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
			q := fmt.Sprintf("2/q/artifacts/%d-%d", i, n)
			switch err := db.PutArtifact(ctx, file(q, "12345"), artifact.OwnerOf(q), 100); {
			case err == nil:
				within.Add(1)
			case !fault.Is(err, fault.TooLarge):
				t.Error(err)
			}
		}
	})
	if within.Load() != 20 {
		t.Errorf("%d files of 5 bytes are within a quota of 100, want 20", within.Load())
	}
	var lost int
	check(t, raw.QueryRow(`SELECT COUNT(*) FROM artifacts f WHERE f.dir <> '' AND NOT EXISTS (
		SELECT 1 FROM artifacts d WHERE d.folder = 1 AND f.dir = CASE d.dir WHEN '' THEN d.name ELSE d.dir || '/' || d.name END)`).Scan(&lost))
	equal(t, "entries without their folder", lost, 0)

	atOnce(8, func(i int) { // the same name as a file and as a folder
		path := "3/r/artifacts/a"
		if i%2 == 1 {
			path += "/b"
		}
		if err := db.PutArtifact(ctx, file(path, "x"), artifact.OwnerOf(path), 0); err != nil && !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
	var files, inside int
	check(t, raw.QueryRow(`SELECT COUNT(*) FROM artifacts WHERE dir = '3/r/artifacts' AND name = 'a' AND folder = 0`).Scan(&files))
	check(t, raw.QueryRow(`SELECT COUNT(*) FROM artifacts WHERE dir = '3/r/artifacts/a'`).Scan(&inside))
	equal(t, "a file, or a folder with its file", files+inside, 1)
}
