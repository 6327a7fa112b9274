// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestTheCommitOfAModelFileIsKnownAndWhatIsChanged(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	repo := t.TempDir()
	dir := filepath.Join(repo, "models", "my bikes")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=ana", "-c", "user.email=ana@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("model.yaml", "one")
	write("code/train.py", "two")
	files := []string{"code/train.py", "model.yaml"}
	git("init", "--quiet")
	if o := commitOf(dir, files); o != nil {
		t.Errorf("a repository without a commit has %+v", o)
	}
	git("add", ".")
	git("commit", "--quiet", "-m", "first")
	git("remote", "add", "origin", "https://ana:secret@example.com/bikes.git")
	o := commitOf(dir, files)
	if o == nil || len(o.ID) != 40 || o.Repository != "https://example.com/bikes.git" || len(o.Changed) != 0 {
		t.Fatalf("%+v", o)
	}
	write("code/train.py", "three")
	write("new.yaml", "four")
	o = commitOf(dir, append(files, "new.yaml"))
	if want := []string{"code/train.py", "new.yaml"}; o == nil || !slices.Equal(o.Changed, want) {
		t.Errorf("changed: %+v, want %q", o, want)
	}
	if o := commitOf(filepath.Join(t.TempDir()), files); o != nil {
		t.Errorf("outside a repository there is %+v", o)
	}
	for remote, want := range map[string]string{
		"git@example.com:ana/bikes.git": "example.com:ana/bikes.git", "ssh://git@example.com/bikes": "ssh://example.com/bikes", "/srv/bikes": "/srv/bikes",
		"https://x-token:abc@example.com/b?key=1": "https://example.com/b",
	} {
		if got := withoutSecrets(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
