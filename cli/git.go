// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flyball/model/registry"
)

// versioned are the files that belong in version control with a model file: itself, its
// pipeline, and its code.
func (m *modelFile) versioned(path string) []string {
	files := []string{filepath.Base(path)}
	if p := m.application.PipelineName; p != "" {
		files = append(files, filepath.Base(p))
	}
	for name := range m.codePaths {
		files = append(files, filepath.FromSlash(name))
	}
	slices.Sort(files)
	return files
}

// gitIn asks git in a folder; false where it fails, or there is none.
func gitIn(dir string, args ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.quotePath=false", "-C", dir}, args...)...) //nolint:gosec // our own arguments; the folder is the user's
	out, err := cmd.Output()
	return string(out), err == nil
}

// commitOf is the commit that the folder lies in, and which of the files are not as they
// are there; nil where there is no git, no repository or no commit.
func commitOf(dir string, files []string) *registry.Commit {
	git := func(args ...string) (string, bool) {
		out, ok := gitIn(dir, args...)
		return strings.TrimRight(out, "\n"), ok
	}
	commit, ok := git("rev-parse", "--verify", "HEAD")
	if !ok {
		return nil
	}
	out := &registry.Commit{ID: commit}
	if remote, ok := git("config", "--get", "remote.origin.url"); ok {
		out.Repository = withoutSecrets(remote)
	}
	known := map[string]bool{}
	if tracked, ok := git(append([]string{"ls-tree", "--name-only", "-z", "HEAD", "--"}, files...)...); ok {
		for name := range strings.SplitSeq(tracked, "\x00") {
			known[filepath.FromSlash(name)] = true
		}
	}
	if differ, ok := git(append([]string{"diff", "--name-only", "--relative", "-z", "HEAD", "--"}, files...)...); ok {
		for name := range strings.SplitSeq(differ, "\x00") {
			known[filepath.FromSlash(name)] = false
		}
	}
	for _, name := range files {
		if !known[name] {
			out.Changed = append(out.Changed, filepath.ToSlash(name))
		}
	}
	return out
}

// withoutSecrets is the address of a repository without the user and password that may
// stand in it.
func withoutSecrets(remote string) string {
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		return u.String()
	}
	if _, rest, ok := strings.Cut(remote, "@"); ok { // git@host:path
		return rest
	}
	return remote
}
