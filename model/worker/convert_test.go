// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"flyball/fault"
	"flyball/model"
)

func TestAModelOfScikitLearnIsWrittenAsONNX(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains models")
	}
	python, dir := pythonOf(t, "onnx"), t.TempDir()
	if out, err := exec.CommandContext(t.Context(), python, "testdata/pickles.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h := host(t, Options{Python: python})
	for _, c := range []struct {
		name, inputs string
		refused      bool
	}{
		{"logistic", `{"name":"a","kind":"number","type":"double"},{"name":"b","kind":"number","type":"double"}`, false},
		{"columns", `{"name":"a","kind":"number","type":"double"},{"name":"s","kind":"text","type":"string"}`, false},
		{"unknown", `{"name":"a","kind":"number","type":"double"},{"name":"b","kind":"number","type":"double"}`, true},
	} {
		m := mlflowCase{Folder: filepath.Join(dir, c.name)}
		f := m.files(t, "")
		f[FileName] = `{"format":"flyball.worker/v1","flavor":"sklearn","outputs":1,"kind":"binary","inputs":[` + c.inputs + `]}`
		got, err := h.Convert(t.Context(), model.Manifest{Model: c.name}, f)
		if c.refused {
			kindIs(t, err, fault.Refused)
		} else if err != nil || !bytes.Contains(got, []byte("ai.onnx")) {
			t.Errorf("%s: got %d bytes, %v", c.name, len(got), err)
		}
	}
}
