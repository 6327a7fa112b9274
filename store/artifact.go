// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/fault"
)

// artifactPlace is where a file or folder stands in the tree of artifacts.
type artifactPlace struct{ dir, name string }

func artifactPlaceOf(path string) artifactPlace {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return artifactPlace{path[:i], path[i+1:]}
	}
	return artifactPlace{"", path}
}

func (p artifactPlace) path() string {
	if p.dir == "" {
		return p.name
	}
	return p.dir + "/" + p.name
}

// artifactPath is the folders of a path, from the top, and the path itself.
func artifactPath(path string) []artifactPlace {
	var out []artifactPlace
	for i, c := range path {
		if c == '/' {
			out = append(out, artifactPlaceOf(path[:i]))
		}
	}
	return append(out, artifactPlaceOf(path))
}

// artifactRow is a row of the tree.
type artifactRow struct {
	artifactPlace
	folder bool
	digest string
	size   int64
	owner  string
	at     int64
}

const artifactColumns = `dir, name, folder, digest, size, owner, at`

func scanArtifact(s scanner) (e artifactRow, err error) {
	var folder int
	err = s.Scan(&e.dir, &e.name, &folder, &e.digest, &e.size, &e.owner, &e.at)
	e.folder = folder == 1
	return e, err
}

func (e artifactRow) as(path string) artifact.Entry {
	return artifact.Entry{Path: path, Folder: e.folder, Digest: blob.Digest(e.digest), Size: e.size, At: e.at}
}

// artifactsAt is the query of the entries at some places.
func artifactsAt(ps []artifactPlace) (statement string, args []any) {
	var b strings.Builder
	b.WriteString(`SELECT ` + artifactColumns + ` FROM artifacts WHERE `)
	for i, p := range ps {
		if i > 0 {
			b.WriteString(` OR `)
		}
		b.WriteString(`(dir = $` + strconv.Itoa(2*i+1) + ` AND name = $` + strconv.Itoa(2*i+2) + `)`)
		args = append(args, p.dir, p.name)
	}
	return b.String(), args
}

// artifactSite is what is known of where a file is to be put.
type artifactSite struct {
	missing []artifactPlace // folders, from the top
	there   artifactRow     // what the file replaces; zero: nothing
}

// artifactSiteOf judges what is there of a path and its folders.
func artifactSiteOf(path string, there []artifactRow) (artifactSite, error) {
	have := map[artifactPlace]artifactRow{}
	for _, e := range there {
		have[e.artifactPlace] = e
	}
	var s artifactSite
	way := artifactPath(path)
	for _, p := range way[:len(way)-1] {
		e, ok := have[p]
		if !ok {
			s.missing = append(s.missing, p)
		} else if !e.folder {
			return artifactSite{}, fault.New(fault.Invalid, "'%s' is a file, and nothing can lie below it", p.path())
		}
	}
	s.there = have[way[len(way)-1]]
	if s.there.folder {
		return artifactSite{}, fault.New(fault.Invalid, "'%s' is a directory, not a file", path)
	}
	return s, nil
}

// ArtifactRoom is how many bytes an owner has in other files than that of path. Where
// no file can be put it is an Invalid fault.
func (db *DB) ArtifactRoom(ctx context.Context, path string, o artifact.Owner) (used int64, err error) {
	const what = "the artifacts cannot be read"
	statement, args := artifactsAt(artifactPath(path))
	there, err := all(ctx, db, what, scanArtifact, statement, args...)
	if err != nil {
		return 0, err
	}
	s, err := artifactSiteOf(path, there)
	if err != nil || o.ID == "" {
		return 0, err
	}
	err = db.row(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM artifacts WHERE owner = $1`, o.ID).Scan(&used)
	return used - s.there.size, problem(err, what)
}

// PutArtifact puts a file and makes its folders. More than quota bytes of one owner
// are a TooLarge fault; a place where no file can be put is an Invalid one.
func (db *DB) PutArtifact(ctx context.Context, e artifact.Entry, o artifact.Owner, quota int64) error {
	e.Path = clean(e.Path)
	return db.atomic(ctx, "the artifact was not put", func(t *tx) error {
		if err := t.holdArtifacts(ctx, o); err != nil {
			return err
		}
		s, err := t.folders(ctx, e.Path, o, e.At)
		if err != nil {
			return err
		}
		if quota > 0 && o.ID != "" {
			if err := t.quota(ctx, o, quota-e.Size+s.there.size, quota); err != nil {
				return err
			}
		}
		p := artifactPlaceOf(e.Path)
		n, err := t.exec(ctx, `INSERT INTO artifacts (`+artifactColumns+`) VALUES ($1, $2, 0, $3, $4, $5, $6)
			ON CONFLICT (dir, name) DO UPDATE SET digest = excluded.digest, size = excluded.size, at = excluded.at
			WHERE artifacts.folder = 0`, p.dir, p.name, string(e.Digest), e.Size, o.ID, e.At)
		if err == nil && n == 0 { // somebody made it a folder since
			err = fault.New(fault.Invalid, "'%s' is a directory, not a file", e.Path)
		}
		return err
	})
}

// holdArtifacts has changes of one owner's files wait for each other, so that a folder
// stays as long as somebody puts into it. A change of what is nobody's, which may be
// the folder of many owners, waits for all.
func (t *tx) holdArtifacts(ctx context.Context, o artifact.Owner) error {
	switch {
	case t.dialect.hold == "":
		return nil
	case o.ID == "":
		_, err := t.exec(ctx, t.dialect.alone, "artifacts")
		return err
	}
	if _, err := t.exec(ctx, t.dialect.hold, "artifacts"); err != nil {
		return err
	}
	_, err := t.exec(ctx, t.dialect.alone, "artifacts/"+o.Root)
	return err
}

// folders makes the folders of a path.
func (t *tx) folders(ctx context.Context, path string, o artifact.Owner, now int64) (artifactSite, error) {
	for {
		statement, args := artifactsAt(artifactPath(path))
		var there []artifactRow
		err := t.each(ctx, func(s scanner) error {
			e, err := scanArtifact(s)
			there = append(there, e)
			return err
		}, statement, args...)
		if err != nil {
			return artifactSite{}, err
		}
		s, err := artifactSiteOf(path, there)
		if err != nil || len(s.missing) == 0 {
			return s, err
		}
		for _, p := range s.missing {
			owner := ""
			if within(p.path(), o.Root) {
				owner = o.ID
			}
			// Another owner may have made it since, or put a file there: look again.
			if _, err := t.exec(ctx, `INSERT INTO artifacts (`+artifactColumns+`) VALUES ($1, $2, 1, '', 0, $3, $4)
				ON CONFLICT (dir, name) DO NOTHING`, p.dir, p.name, owner, now); err != nil {
				return artifactSite{}, err
			}
		}
	}
}

func within(path, root string) bool {
	return root != "" && (path == root || strings.HasPrefix(path, root+"/"))
}

// quota refuses a file when its owner's others have more than room bytes.
func (t *tx) quota(ctx context.Context, o artifact.Owner, room, quota int64) error {
	var used int64
	if err := t.row(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM artifacts WHERE owner = $1`, o.ID).Scan(&used); err != nil {
		return err
	}
	if used > room {
		return artifact.Over(o, quota)
	}
	return nil
}

// Artifact is the entry of a path; a NotFound fault when there is none.
func (db *DB) Artifact(ctx context.Context, path string) (artifact.Entry, error) {
	p := artifactPlaceOf(path)
	e, err := scanArtifact(db.row(ctx, `SELECT `+artifactColumns+` FROM artifacts WHERE dir = $1 AND name = $2`, p.dir, p.name))
	return e.as(path), found(err, "the artifact cannot be read", "there is no artifact %s", path)
}

// Artifacts are the entries right in a folder, by name, which is their Path.
func (db *DB) Artifacts(ctx context.Context, folder string) ([]artifact.Entry, error) {
	return all(ctx, db, "the artifacts cannot be read", func(s scanner) (artifact.Entry, error) {
		e, err := scanArtifact(s)
		return e.as(e.name), err
	}, `SELECT `+artifactColumns+` FROM artifacts WHERE dir = $1 ORDER BY name`, folder)
}

// RemoveArtifacts removes a file or a tree; empty: all. Nothing there is no error.
func (db *DB) RemoveArtifacts(ctx context.Context, path string) error {
	return db.atomic(ctx, "the artifacts were not removed", func(t *tx) error { return t.removeArtifacts(ctx, path) })
}

func (t *tx) removeArtifacts(ctx context.Context, path string) error {
	statement, args := `DELETE FROM artifacts`, []any(nil)
	if path != "" {
		p := artifactPlaceOf(path)
		statement += ` WHERE (dir = $1 AND name = $2) OR dir = $3 OR (dir > $4 AND dir < $5)`
		args = []any{p.dir, p.name, path, path + "/", path + "0"} // 0 is what follows the slash
	}
	if err := t.holdArtifacts(ctx, artifact.OwnerOf(path)); err != nil {
		return err
	}
	_, err := t.exec(ctx, statement, args...)
	return err
}

// AllArtifacts yields every file of the tree with its whole path.
func (db *DB) AllArtifacts(ctx context.Context) iter.Seq2[artifact.Entry, error] {
	return func(yield func(artifact.Entry, error) bool) {
		for e, err := range rows(ctx, db, scanArtifact, `SELECT `+artifactColumns+` FROM artifacts WHERE folder = 0 ORDER BY dir, name`) {
			if !yield(e.as(e.path()), problem(err, "the artifacts cannot be read")) || err != nil {
				return
			}
		}
	}
}
