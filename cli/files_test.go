// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAFileThatIsCutOffLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(at, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	x := &exporting{env: &env{}, root: root, over: true}
	cut := errors.New("cut off")
	if err := x.write("a.csv", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(cut))); !errors.Is(err, cut) {
		t.Errorf("got %v", err)
	}
	left, err := os.ReadDir(dir)
	if raw, _ := os.ReadFile(at); string(raw) != "before" || err != nil || len(left) != 1 {
		t.Errorf("it holds %q, beside %d files, %v", raw, len(left)-1, err)
	}
	if err := x.write("a.csv", strings.NewReader("after")); err != nil {
		t.Fatal(err)
	}
	if raw, _ := os.ReadFile(at); string(raw) != "after" {
		t.Errorf("it holds %q", raw)
	}
}
