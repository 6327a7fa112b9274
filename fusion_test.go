// SPDX-License-Identifier: Apache-2.0

package flyball_test

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	// What is compiled below, so that the test runs again when it changes: the test
	// cache does not know what a child process read.
	_ "flyball/data/pipeline"
	_ "flyball/model"
	_ "flyball/model/constant"
	_ "flyball/model/linear"
	_ "flyball/model/onnx"
	_ "flyball/model/tree"
	_ "flyball/model/xgboost"
	_ "flyball/training/learner"
)

// scoring are the packages whose numbers must be the same on every processor, and the
// files beside them. The language lets a compiler multiply and add with one rounding,
// and the one for arm64 does where no conversion stands between the two.
var scoring = []struct{ pkg, file string }{
	{"./data/pipeline", ".*"},
	{"./model", ".*"},
	{"./model/constant", ".*"},
	{"./model/lightgbm", ".*"},
	{"./model/linear", ".*"},
	{"./model/onnx", ".*"},
	{"./model/tree", ".*"},
	{"./model/xgboost", ".*"},
	{"./stat", "exp"},
	{"./training/learner", "gbdt|bins"}, // linear uses gonum, which has its own code on amd64
}

func TestNoScoreIsMultipliedAndAddedWithOneRounding(t *testing.T) {
	if os.Getenv("FLYBALL_LONG") == "" {
		t.Skip("it compiles for arm64; set FLYBALL_LONG=1")
	}
	compile := func(pkg string) []byte {
		cmd := exec.Command("go", "build", "-gcflags=-S", pkg)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	fused := func(pkg, file string) [][]byte {
		return regexp.MustCompile(`(?m)^.*/(`+file+`)\.go:\d+\)\s+FN?M(ADD|SUB)[SD]\s.*$`).FindAll(compile(pkg), -1)
	}
	for _, s := range scoring {
		for _, line := range fused(s.pkg, s.file) {
			t.Errorf("%s: write float64(x*y) or float32(x*y) here:\n%s", s.pkg, line)
		}
	}
	if len(fused("./stat", ".*")) == 0 { // statistics may fuse, and do
		t.Error("nothing is found where something is: the listing reads otherwise")
	}
}
