// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"flyball/blob"
	"flyball/client"
	"flyball/control"
	"flyball/fault"
	"flyball/model"
	"flyball/model/registry"
	"flyball/spec"
	"flyball/training"
)

// baseCommit is the commit that the work of a folder began at: the last that it has in
// common with the named one, or with what a pull request names; empty where there is no
// git, or it knows none.
func baseCommit(dir, named string) (string, error) {
	candidates := []string{os.Getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA"), "origin/HEAD", "origin/main", "origin/master"}
	if ref := os.Getenv("GITHUB_BASE_REF"); ref != "" {
		candidates = slices.Insert(candidates, 0, "origin/"+ref)
	}
	if named != "" {
		candidates = []string{named}
	}
	for _, c := range candidates {
		commit, ok := gitIn(dir, "rev-parse", "--verify", "--quiet", "--end-of-options", c+"^{commit}")
		if c == "" || !ok {
			continue
		}
		commit = strings.TrimSpace(commit)
		if common, ok := gitIn(dir, "merge-base", commit, "HEAD"); ok { // fails in a checkout without its past
			commit = strings.TrimSpace(common)
		}
		return commit, nil
	}
	if named != "" {
		return "", fault.New(fault.Invalid, "git knows no commit %s here", named).Do("fetch it: git fetch origin, or check out with the whole past")
	}
	return "", nil
}

// The lines by which a file is known that cannot be read, and its name.
var (
	fileKind   = regexp.MustCompile(`(?m)^kind:\s*["']?(Model|Pipeline)["']?\s*(#.*)?\r?$`)
	modelKind  = regexp.MustCompile(`(?m)^kind:\s*["']?Model["']?\s*(#.*)?\r?$`)
	flyballAPI = regexp.MustCompile(`(?m)^apiVersion:\s*["']?flyball/`)
	modelName  = regexp.MustCompile(`(?m)^name:\s*["']?([a-z][a-z0-9-]{0,62})["']?\s*(#.*)?\r?$`)
)

// changedModels are the model files of the repository of a folder of which something is
// not as at a commit: the file, its pipeline, its code or its data.
func changedModels(dir, commit string) ([]string, error) {
	top, ok := gitIn(dir, "rev-parse", "--show-toplevel")
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no git repository here").Do("name the model files")
	}
	top = strings.TrimRight(top, "\n")
	differ, ok := gitIn(top, "diff", "--name-only", "-z", commit, "--")
	known, listed := gitIn(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	others, told := gitIn(top, "ls-files", "-z", "--others", "--exclude-standard")
	if !ok || !listed || !told {
		return nil, fault.New(fault.Unavailable, "git cannot tell what changed since %s", commit)
	}
	changed := map[string]bool{}
	for name := range strings.SplitSeq(differ+others, "\x00") {
		changed[filepath.Join(top, filepath.FromSlash(name))] = true
	}
	here, err := filepath.Abs(dir)
	if err == nil {
		here, err = filepath.EvalSymlinks(here) // as git tells the top
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder cannot be found")
	}
	var out []string
	for name := range strings.SplitSeq(known, "\x00") {
		path := filepath.Join(top, filepath.FromSlash(name))
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" || !says(path, modelKind) || !slices.ContainsFunc(reads(path), func(f string) bool { return changed[f] }) {
			continue
		}
		if rel, err := filepath.Rel(here, path); err == nil {
			path = rel
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// says reports whether a file says that it is of a kind of Flyball's, rightly written or
// not.
func says(path string, kind *regexp.Regexp) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() > spec.MaxSize {
		return false
	}
	raw, err := os.ReadFile(path)
	return err == nil && kind.Match(raw) && flyballAPI.Match(raw)
}

// reads are the files that a model file depends on, itself among them.
func reads(path string) []string {
	out := []string{path}
	m, err := readFiles(path)
	if err != nil {
		return out
	}
	dir := filepath.Dir(path)
	for _, name := range m.versioned(path) {
		out = append(out, filepath.Join(dir, name))
	}
	if m.find(dir) == nil {
		for _, at := range m.paths {
			out = append(out, filepath.Clean(at))
		}
	}
	return out
}

// earlier is a model file as it is at a commit, in a folder of its own. The zero value is
// none.
type earlier struct {
	model  modelFile
	found  bool
	wrong  error // why it cannot be read, where it is there
	commit string
	dir    string
}

func (b earlier) name() string { return b.commit[:min(12, len(b.commit))] }

func (b earlier) close() {
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}

// readEarlier takes a model file, its pipeline and its code out of a commit. One that is
// not there is none.
func readEarlier(commit, path string) (b earlier) {
	b.commit = commit
	from, name := filepath.Dir(path), filepath.Base(path)
	text, ok := gitIn(from, "cat-file", "blob", commit+":./"+name)
	if commit == "" || !ok {
		return b
	}
	if b.dir, b.wrong = os.MkdirTemp("", "flyball-base-"); b.wrong != nil {
		return b
	}
	b.model.application.File = text
	f, err := spec.Parse(name, []byte(text))
	if err == nil && f.Model == nil {
		err = fault.New(fault.Invalid, "%s was no model file", name)
	}
	if b.wrong = err; err != nil {
		return b
	}
	needs := []string{name}
	if p := f.Model.Pipeline.Name; p != "" && p != "none" {
		needs = append(needs, p+".yaml")
	}
	if t := f.Model.Train; len(t.Command) > 0 {
		needs = slices.Concat(needs, t.Command, t.Code, []string{t.Environment})
	}
	for _, n := range needs {
		if b.wrong = takeOut(commit, from, n, b.dir); b.wrong != nil {
			return b
		}
	}
	b.model, b.wrong = readFiles(filepath.Join(b.dir, name))
	b.found = b.wrong == nil
	return b
}

// takeOut writes what lies below a name in a commit to a folder; nothing lies below what is
// no file there.
func takeOut(commit, from, name, to string) error {
	if !filepath.IsLocal(name) {
		return nil
	}
	list, _ := gitIn(from, "ls-tree", "-r", "-z", "--name-only", commit, "--", "./"+filepath.ToSlash(name))
	files := strings.Split(strings.TrimSuffix(list, "\x00"), "\x00")
	if len(files) > maxCodeFiles {
		return fault.New(fault.TooLarge, "the code in %s has more than %d files", name, maxCodeFiles)
	}
	for _, f := range files {
		if f == "" || !filepath.IsLocal(filepath.FromSlash(f)) {
			continue
		}
		text, ok := gitIn(from, "cat-file", "blob", commit+":./"+f)
		if !ok {
			return fault.New(fault.Unavailable, "git cannot show %s at %s", f, commit)
		}
		at := filepath.Join(to, filepath.FromSlash(f))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, []byte(text), 0o600)); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the files of %s cannot be written", commit)
		}
	}
	return nil
}

// request is a training of the file as it was, on the data of r.
func (b earlier) request(ctx context.Context, r training.Request, blobs blob.Store) (training.Request, error) {
	switch {
	case b.wrong != nil:
		return r, b.wrong
	case !b.found:
		return r, fault.New(fault.Invalid, "the file is not there").Do("say --against baseline")
	}
	if err := b.model.keepCode(ctx, blobs); err != nil {
		return r, err
	}
	b.model.application.Data = r.Files
	lm, _, err := control.Read(b.model.application)
	if err != nil {
		return r, err
	}
	r.Recipe, r.Code, r.Commit = lm.Recipe, b.model.application.Code, nil
	r.Key += " before"
	return r, nil
}

// fetchLive brings the live version of a model here, to be compared with.
func (e *env) fetchLive(ctx context.Context, name string, blobs blob.Store) (int, *training.Opponent, error) {
	st, err := e.client().Status(ctx, name)
	if err != nil {
		return 0, nil, err
	}
	if st.Live == 0 {
		return 0, nil, fault.New(fault.NotFound, "no version of %s is live at %s", name, e.url).Do("say --against base or --against baseline")
	}
	all, err := e.client().Versions(ctx, name)
	if err != nil {
		return 0, nil, err
	}
	i := slices.IndexFunc(all, func(v registry.Version) bool { return v.Version == st.Live })
	if i < 0 {
		return 0, nil, fault.New(fault.NotFound, "the version %s@%d is not listed at %s", name, st.Live, e.url)
	}
	v := all[i]
	if err := e.fetch(ctx, v.Bundle, blobs); err != nil {
		return 0, nil, err
	}
	m, err := model.ReadManifest(ctx, blobs, v.Bundle)
	if err != nil {
		return 0, nil, err
	}
	for _, d := range m.Files {
		if err := e.fetch(ctx, d, blobs); err != nil {
			return 0, nil, err
		}
	}
	return v.Version, &training.Opponent{Bundle: v.Bundle, SeenUntil: v.SeenUntil}, nil
}

// fetch copies the bytes of a digest.
func (e *env) fetch(ctx context.Context, d blob.Digest, blobs blob.Store) error {
	in, err := e.client().Blob(ctx, string(d))
	if err != nil {
		return err
	}
	got, _, err := blobs.Put(ctx, in)
	if err = errors.Join(err, in.Close()); err == nil && got != d {
		err = fault.New(fault.Unavailable, "%s gave other bytes for %s", e.url, d)
	}
	return err
}

// asAt is the time that was given, else the server's where one is named, else now.
func (e *env) asAt(ctx context.Context, text string, server bool) (time.Time, error) {
	if text != "" {
		return e.moment(ctx, text)
	}
	if server {
		c, err := e.client().Clock(ctx)
		return c.Now.UTC(), err
	}
	return time.Now().UTC().Truncate(time.Second), nil
}

// unreachable is the exit code of a server that does not answer, or does not let us; else 0.
func unreachable(err error) int {
	if code := codeOf(err); client.Unreachable(err) || code == exitDenied {
		return code
	}
	return 0
}
