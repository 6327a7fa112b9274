// SPDX-License-Identifier: Apache-2.0

// Package flyball_test keeps the plan of the house: which package stands on which
// floor. Imports point down only, and each package says what it is for.
package flyball_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors is the plan, from the ground up. A package imports only what stands on a
// lower floor; docs/architecture.md says what each is for.
var floors = [][]string{
	{"asof", "blob", "bucket", "chart", "event", "examples", "fault", "ident", "python", "search", "stat", "unit"}, // ground; fault alone is below the others
	{"blob/artifact", "data/frame", "governance/audit", "job", "notify", "training/environment"},
	{"data/dataset", "data/pipeline", "experiment", "governance/access", "governance/duty", "model/registry", "model/unusual"},
	{"data/pipeline/export", "data/source", "experiment/archive", "governance/approval", "governance/retention", "model", "model/shap", "serving/prediction", "serving/release"},
	{"backup", "model/constant", "model/counterfactual", "model/dependence", "model/lightgbm", "model/linear", "model/onnx", "model/tree", "model/worker"},
	{"model/xgboost"},
	{"model/formats", "model/mlmodel"},
	{"training/executor", "training/learner"},
	{"experiment/evaluation"},
	{"experiment/modeltest"},
	{"experiment/gate", "experiment/online", "monitoring"},
	{"experiment/compare", "experiment/gate/report", "governance/alert", "governance/incident"},
	{"governance/card", "governance/maturity", "serving", "serving/batch", "training"},
	{"serving/replica"},
	{"governance/dossier", "governance/evidence", "loop"},
	{"loop/rehearse"},
	{"spec", "training/executor/cluster"},
	{"data/source/postgres", "experiment/mlflowimport", "serving/predictionlog", "store", "training/executor/kubernetes", "training/executor/local", "training/executor/ray", "training/executor/slurm"}, // edges
	{"control", "data/source/remote", "serving/shipping", "training/executor/cluster/node"},
	{"api", "api/wire"},
	{"client"},
	{"api/oip/inference"},
	{"api/attempt", "api/mlflow", "api/oip", "api/rest", "api/scoring", "web"}, // faces
	{"app"},
	{"demo"},
	{"cli"},
	{"cmd/flyball"},
}

// below are the packages of the ground floor that the others of it may import.
var below = []string{"fault"}

// forTests are packages that only tests import; they, bench/ and e2e/ may import anything.
var forTests = []string{"blob/blobtest", "store/storetest", "store/pgtest", "serving/release/releasetest", "internal/fuzzcheck", "training/executor/executortest", "training/executor/cluster/clustertest", "training/executor/slurm/slurmtest", "training/learner/learnertest", "examples/hotel-cancel/replay", "loop/rehearse/histories"}

// sql are the packages that may speak SQL.
var sql = []string{"store", "serving/predictionlog", "experiment/mlflowimport"}

type source struct {
	pkg     string // its folder
	imports []string
	doc     string
}

// sources reads the packages' files with the parser, not through the go command:
// the test cache does not know what a child process read.
func sources(t *testing.T) map[string]*source {
	t.Helper()
	out := map[string]*source{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		s := out[dir]
		if s == nil {
			s = &source{pkg: dir}
			out[dir] = s
		}
		if f.Doc != nil {
			s.doc += f.Doc.Text()
		}
		s.imports = append(s.imports, imports(f)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func imports(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		out = append(out, path)
	}
	return out
}

func floorOf(pkg string) int {
	return slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, pkg) })
}

// outside says that pkg is no part of the product.
func outside(pkg string) bool {
	return slices.Contains(forTests, pkg) || strings.HasPrefix(pkg, "bench/") || strings.HasPrefix(pkg, "deploy/") || strings.HasPrefix(pkg, "e2e")
}

func TestImportsPointDown(t *testing.T) {
	for pkg, s := range sources(t) {
		if outside(pkg) {
			continue
		}
		mine := floorOf(pkg)
		if mine < 0 {
			t.Errorf("%s has no floor: give it one here and a line in docs/architecture.md", pkg)
			continue
		}
		for _, i := range s.imports {
			other, ours := strings.CutPrefix(i, "flyball/")
			if !ours {
				continue
			}
			theirs := floorOf(other)
			if mine == 0 && slices.Contains(below, other) {
				continue
			}
			if outside(other) || theirs < 0 || theirs >= mine {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports point down only", pkg, mine, other, theirs)
			}
		}
	}
}

func TestOnlyTheEdgesSpeakSQL(t *testing.T) {
	for pkg, s := range sources(t) {
		if slices.Contains(s.imports, "database/sql") && !slices.Contains(sql, pkg) && !outside(pkg) {
			t.Errorf("%s imports database/sql; only %v may", pkg, sql)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for pkg, s := range sources(t) {
		name := filepath.Base(pkg)
		if !strings.HasPrefix(s.doc, "Package "+name+" ") && !strings.HasPrefix(s.doc, "Command "+name+" ") {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

func TestEveryFloorIsLivedOn(t *testing.T) {
	have := sources(t)
	for _, f := range floors {
		for _, pkg := range f {
			if have[pkg] == nil {
				t.Errorf("the plan names %s, which does not exist", pkg)
			}
		}
	}
}
