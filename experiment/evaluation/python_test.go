// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"os"
	"os/exec"
	"testing"
)

// The rows are other ones than those of reference.json.
func TestMetricsAgreeWithTheScikitLearnThatIsInstalled(t *testing.T) {
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil || testing.Short() {
		t.Skip("no Python with scikit-learn: set FLYBALL_PYTHON or make .cache/venv")
	}
	out, err := exec.CommandContext(t.Context(), python, "testdata/reference.py", "7").Output()
	if err != nil {
		t.Fatal(err)
	}
	agree(t, out)
}
