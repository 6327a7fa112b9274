// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"flyball/fault"
)

// Pattern is what a source names: a file, a folder with all that lies in it, or a pattern
// of those, in which * and ? and […] stand for part of one name and ** for any folders.
type Pattern struct {
	Base string // the folders before the first wildcard, or the folder of the file; may be empty
	rest []string
}

// ParsePattern reads a pattern in which the folders are parted by slashes.
func ParsePattern(text string) (Pattern, error) {
	parts := strings.Split(text, "/")
	wild := slices.IndexFunc(parts, func(s string) bool { return strings.ContainsAny(s, "*?[") })
	if wild < 0 {
		wild = len(parts) - 1
	}
	p := Pattern{Base: strings.Join(parts[:wild], "/"), rest: parts[wild:]}
	if wild == 1 && parts[0] == "" {
		p.Base = "/"
	}
	for _, one := range p.rest {
		if _, err := path.Match(one, ""); err != nil {
			return Pattern{}, fault.New(fault.Invalid, "%q is not a pattern of file names", text)
		}
	}
	if len(p.rest) > 1 && p.rest[len(p.rest)-1] == "" { // a/*/ is a folder as a/* is
		p.rest = p.rest[:len(p.rest)-1]
	}
	return p, nil
}

// Match reports whether the file of the name, which is relative to Base, belongs to the
// source: the pattern is its name, or a folder that it lies in. Of a folder only files are
// taken that can be data by their ending, and none of which a part begins with . or _, as
// those that Spark leaves.
func (p Pattern) Match(name string) bool {
	whole, folder := match(p.rest, strings.Split(name, "/"))
	return whole || folder && readable(name)
}

// match says whether the pattern matches the whole name, or a folder that it lies in. It
// goes along the name once, with all places of the pattern where it can be, so that no
// pattern takes long.
func match(pattern, name []string) (whole, folder bool) {
	last := len(pattern) - 1
	at := make([]bool, len(pattern)+1)
	at[0] = true
	for _, part := range name {
		next := make([]bool, len(pattern)+1)
		for i := range at {
			switch {
			case !at[i]:
			case i > last, i == last && (pattern[i] == "" || pattern[i] == "**"): // the folder itself, or any below it
				folder = true
			case pattern[i] == "**":
				next[i], at[i+1] = true, true
			default:
				ok, err := path.Match(pattern[i], part)
				next[i+1] = next[i+1] || pattern[i] == part || ok && err == nil
			}
		}
		at = next
	}
	return at[len(pattern)], folder
}

// readable says whether a file of a folder can be data.
func readable(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") && !strings.Contains(part, "=") {
			return false
		}
	}
	base := strings.ToLower(path.Base(name))
	for _, packed := range []string{".gz", ".zst"} {
		base = strings.TrimSuffix(base, packed)
	}
	switch path.Ext(base) {
	case ".csv", ".tsv", ".parquet", ".pq", ".zip":
		return true
	}
	return false
}

// Files are the files of this machine that a source names, by their names below its
// folder. None is a NotFound fault.
func Files(place string) (map[string]string, error) {
	place = filepath.ToSlash(place)
	var p Pattern
	if info, err := os.Stat(place); err == nil {
		if !info.IsDir() {
			return map[string]string{path.Base(place): place}, nil
		}
		p = Pattern{Base: place, rest: []string{""}}
	} else if !strings.ContainsAny(place, "*?[") {
		return nil, fault.Wrap(err, fault.NotFound, "no file is named %s", place)
	} else if p, err = ParsePattern(place); err != nil {
		return nil, err
	}
	root := p.Base
	if root == "" {
		root = "."
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "no file is named %s", place)
	}
	out := map[string]string{}
	err = filepath.WalkDir(real, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(at); err != nil || !info.Mode().IsRegular() { // a link to a file is one
			return nil
		}
		name, err := filepath.Rel(real, at)
		if name = filepath.ToSlash(name); err == nil && p.Match(name) {
			out[name] = at
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(out) == 0 {
		return nil, fault.New(fault.NotFound, "no file is named %s", place).
			Do("of a folder, files are read that end with .csv, .tsv, .parquet, .pq or .zip, and .gz or .zst after it")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", place)
	}
	return out, nil
}

// Elsewhere reports whether a source is the URL of a bucket or a database, and not files
// that lie beside the model file.
func Elsewhere(place string) bool { return strings.Contains(place, "://") }
