// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"flyball/fault"
	"flyball/model"
)

// pretended is a program that does as uv does: it links the interpreter, notes what it
// is asked, and fails where the requirements say so.
func pretended(t *testing.T) (uv, notes string) {
	t.Helper()
	dir := t.TempDir()
	uv, notes = filepath.Join(dir, "uv"), filepath.Join(dir, "notes")
	script := `#!/bin/sh
echo "$1 $2 secret=$A_SECRET index=$UV_INDEX" >> ` + notes + `
case "$1" in
venv) mkdir -p "$5/bin" && ln -s ` + plainPython(t) + ` "$5/bin/python"; sleep 0.1 ;;
pip) if grep -q nonsense "$6"; then echo "resolving"; echo "no version of nonsense" >&2; exit 1; fi ;;
esac
`
	if err := os.WriteFile(uv, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return uv, notes
}

func TestAnEnvironmentIsMadeOnceForAllWhoNeedIt(t *testing.T) {
	t.Setenv("A_SECRET", "password")
	t.Setenv("UV_INDEX", "here")
	uv, notes := pretended(t)
	dir := t.TempDir()
	f := odd(t)
	f[Folder+"requirements.txt"] = "six==1.17.0\n"
	var wg sync.WaitGroup
	for range 2 { // two servers on one folder, two models each
		h := New(Options{Dir: dir, UV: uv})
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
		for range 2 {
			s := open(t, h, f)
			wg.Go(func() {
				if got, err := scores(t.Context(), s, 4); err != nil || got[0] != 8 {
					t.Errorf("got %v, %v", got, err)
				}
			})
		}
	}
	wg.Wait()
	b, err := os.ReadFile(notes)
	want := "venv --relocatable secret= index=here\npip install secret= index=here\n"
	if err != nil || string(b) != want {
		t.Errorf("uv was asked\n%s, %v; want\n%s", b, err, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".new-*")); len(left) > 0 {
		t.Errorf("there is left %v", left)
	}
}

func TestAnEnvironmentThatCannotBeMadeSaysWhatUVSaid(t *testing.T) {
	uv, _ := pretended(t)
	h := New(Options{Dir: t.TempDir(), UV: uv})
	f := odd(t)
	f[Folder+"requirements.txt"] = "nonsense==1\n"
	_, err := scores(t.Context(), open(t, h, f), 1)
	kindIs(t, err, fault.Refused)
	if err == nil || !strings.Contains(err.Error(), "no version of nonsense") {
		t.Errorf("got %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.opts.Dir, "env", "*")); len(left) != 1 { // the lock
		t.Errorf("there is left %v", left)
	}
}

func TestUVMakesAnEnvironment(t *testing.T) {
	if os.Getenv("FLYBALL_LONG") == "" {
		t.Skip("it installs packages: set FLYBALL_LONG")
	}
	uv, err := filepath.Abs("../../.cache/uv/bin/uv")
	if err == nil {
		_, err = os.Stat(uv)
	}
	if err != nil {
		t.Skip("no .cache/uv: make it with scripts/setup.sh")
	}
	t.Setenv("UV_PYTHON_DOWNLOADS", "never")
	t.Setenv("UV_NATIVE_TLS", "true")
	code, err := os.ReadFile("testdata/logistic.py")
	if err != nil {
		t.Fatal(err)
	}
	about, err := File{Outputs: 1, Kind: "binary"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Dir: t.TempDir(), UV: uv})
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, err := h.Open(t.Context(), model.Manifest{Model: "fresh"}, files{
		FileName: string(about), Folder + "flyball_model.py": string(code),
		Folder + "requirements.txt": "scikit-learn==1.8.0\nnumpy==2.4.6",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.(*Scorer).Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
}
