// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"flyball/fault"
)

// there is a program of this work tree's .cache, or the test is skipped.
func there(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join("..", "..", ".cache", filepath.FromSlash(path)))
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		t.Skipf("no .cache/%s: make it with scripts/setup.sh", path)
	}
	return abs
}

func TestAnInterpreterTellsItsVersionAndPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs Python")
	}
	python := there(t, "venv/bin/python")
	p, err := Observe(t.Context(), python, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Path != python || !strings.HasPrefix(p.Version, "3.") || p.Implementation != "CPython" || len(p.Packages) < 3 {
		t.Errorf("got %+v", p)
	}
	for i, d := range p.Packages {
		if d.Name != strings.ToLower(d.Name) || d.Version == "" || i > 0 && p.Packages[i-1].Name >= d.Name {
			t.Errorf("package %d is %+v", i, d)
		}
	}
	if !bytes.Contains(p.Lock(), []byte("\nnumpy==")) || PythonOf(p.Lock()) != p.Version {
		t.Errorf("the lock is\n%s", p.Lock())
	}
}

func TestWhatIsNoInterpreterIsRefused(t *testing.T) {
	for _, program := range []string{"/bin/echo", "/bin/false", "/there/is/none"} {
		if _, err := Observe(t.Context(), program, nil); !fault.Is(err, fault.Refused) {
			t.Errorf("%s: got %v", program, err)
		}
	}
}

func TestALockSaysThePythonAndItsPackagesSorted(t *testing.T) {
	p := Python{Version: "3.11.7", Packages: []Package{{Name: "six", Version: "1.17.0"}, {Name: "mine", Version: "0.1", Local: true}, {Name: "numpy", Version: "2.4.6"}}}
	want := "# python 3.11.7\n# from no index: mine==0.1\nnumpy==2.4.6\nsix==1.17.0\n"
	if got := string(p.Lock()); got != want {
		t.Errorf("got\n%s", got)
	}
	for lock, want := range map[string]string{
		"# python 3.12\nsix==1\n": "3.12", "six==1\n# python 3.9.1\r\n": "3.9.1", "six==1\n": "", "# python --evil\n": "", "# python is nice\n": "", "": "",
	} {
		if got := PythonOf([]byte(lock)); got != want {
			t.Errorf("of %q: got %q, want %q", lock, got, want)
		}
	}
}

func TestALockTellsItsPackagesByTheirNames(t *testing.T) {
	got := PackagesOf([]byte("# python 3.11.7\n# from no index: mine==0.1\n# a == b\nnumpy==2.4.6\n\nsix\n"))
	if want := map[string]string{"mine": "0.1", "numpy": "2.4.6"}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestAProgramIsAnInterpreterByItsName(t *testing.T) {
	for program, want := range map[string]bool{
		"python": true, "python3": true, "/usr/bin/python3.11": true, "env/bin/python": true, "pythonista": false, "sh": false, "train.py": false, "": false,
	} {
		if got := IsPython(program); got != want {
			t.Errorf("%q: got %v", program, got)
		}
	}
}

func TestThisMachineTellsItsSystem(t *testing.T) {
	m := Here()
	if m.OS == "" || m.Arch == "" || m.CPUs < 1 || m.OS == "linux" && m.Kernel == "" {
		t.Errorf("got %+v", m)
	}
}

// pretended is a uv that makes a folder, notes what it is asked, and says what it fails by
// where the requirements name it.
func pretended(t *testing.T) (uv, notes string) {
	t.Helper()
	dir := t.TempDir()
	uv, notes = filepath.Join(dir, "uv"), filepath.Join(dir, "notes")
	script := `#!/bin/sh
echo "$*" | sed 's/[^ ]*\.new-[^ ]*/HERE/g' >> ` + notes + `
case "$1" in
venv) mkdir -p "$5/bin" && ln -s /bin/sh "$5/bin/python"; sleep 0.1 ;;
pip) if grep -q nonsense "$6"; then echo "no version of nonsense" >&2; exit 1; fi
     if grep -q distant "$6"; then echo "error: Failed to fetch: distant" >&2; exit 2; fi ;;
esac
`
	if err := os.WriteFile(uv, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return uv, notes
}

func TestAnEnvironmentOfALockIsMadeOnceWithThatPythonAndNothingElse(t *testing.T) {
	uv, notes := pretended(t)
	dir := t.TempDir()
	lock := []byte("# python 3.11.7\nsix==1.17.0\n")
	left := filepath.Join(dir, ".new-"+Whole(lock).key()[:12]+"-1")
	if err := os.MkdirAll(left, 0o750); err != nil { // by a process that was killed
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			m := &Maker{Dir: dir, UV: uv}
			if got, err := m.Make(t.Context(), Whole(lock)); err != nil || !strings.HasPrefix(got, dir) {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	all.Wait()
	b, err := os.ReadFile(notes)
	want := "venv --relocatable --allow-existing --no-project HERE --python 3.11.7\npip install --compile-bytecode --python HERE -r HERE --no-deps\n"
	if err != nil || string(b) != want {
		t.Errorf("uv was asked\n%s, %v; want\n%s", b, err, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("there is left %v", left)
	}
}

func TestAnEnvironmentInAFolderOfHereIsNamedByItsWholePath(t *testing.T) {
	uv, _ := pretended(t)
	dir := t.TempDir()
	t.Chdir(dir)
	got, err := (&Maker{Dir: "environments", UV: uv}).Make(t.Context(), Whole([]byte("six==1\n")))
	if err != nil || !filepath.IsAbs(got) || filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(got))))) != filepath.Base(dir) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestAnEnvironmentWhoseInterpreterIsGoneIsMadeAgain(t *testing.T) {
	uv, notes := pretended(t)
	m := &Maker{Dir: t.TempDir(), UV: uv}
	lock := []byte("six==1\n")
	path, err := m.Make(t.Context(), Whole(lock))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Make(t.Context(), Whole(lock)); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(notes); strings.Count(string(b), "venv") != 2 {
		t.Errorf("uv was asked\n%s", b)
	}
}

func TestWhyNoEnvironmentIsMadeIsTold(t *testing.T) {
	uv, _ := pretended(t)
	for _, c := range []struct {
		uv, lock string
		kind     fault.Kind
		says     string
	}{
		{uv, "nonsense==1\n", fault.Refused, "no version of nonsense"},
		{uv, "distant==1\n", fault.Unavailable, "uv cannot fetch"},
		{"there-is-no-such-uv", "six==1\n", fault.Unavailable, "there is no uv"},
		{uv, "# from no index: mine==0.1\nsix==1\n", fault.Refused, "what it holds of mine==0.1 came from a folder"},
	} {
		dir := t.TempDir()
		_, err := (&Maker{Dir: dir, UV: c.uv}).Make(t.Context(), Whole([]byte(c.lock)))
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s of %s: got %v", c.lock, c.uv, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
			t.Errorf("there is left %v", left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Maker{Dir: t.TempDir(), UV: uv}).Make(ctx, Whole([]byte("six==1\n"))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("given up: got %v", err)
	}
}

func TestUVMakesTheEnvironmentOfALockAndItIsThatOfTheLock(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs a package")
	}
	uv, python := there(t, "uv/bin/uv"), there(t, "venv/bin/python")
	t.Setenv("UV_PYTHON_DOWNLOADS", "never")
	t.Setenv("UV_NATIVE_TLS", "true")
	said, err := exec.CommandContext(t.Context(), python, "-c", "import platform; print(platform.python_version())").Output()
	if err != nil {
		t.Fatal(err)
	}
	lock := []byte("# python " + strings.TrimSpace(string(said)) + "\nsix==1.17.0\n")
	m := &Maker{Dir: t.TempDir(), UV: uv}
	path, err := m.Make(t.Context(), Whole(lock))
	if fault.Is(err, fault.Unavailable) {
		t.Skipf("no package index: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := Observe(t.Context(), path, nil)
	if err != nil || !bytes.Equal(p.Lock(), lock) {
		t.Errorf("got\n%s, %v", p.Lock(), err)
	}
}
