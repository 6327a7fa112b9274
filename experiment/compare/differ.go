// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"flyball/experiment"
)

// Fact is a setting or an input that is not the same for all subjects.
type Fact struct {
	Kind   string    `json:"kind" doc:"param, data, code or environment"`
	Key    string    `json:"key"`
	Values []*string `json:"values" doc:"by subject, in their order; null: not given"`
}

// LoggedValue is a metric as the runs logged it.
type LoggedValue struct {
	Key    string    `json:"key"`
	Values []*Logged `json:"values" doc:"by subject, in their order; null: not logged"`
}

// Logged is the latest value of a metric of one run.
type Logged struct {
	Value   *float64 `json:"value" doc:"null where it is not a number"`
	Step    int64    `json:"step"`
	Dataset string   `json:"dataset,omitempty" doc:"on which it was measured, where the client said so"`
}

// maxLogged bounds how many logged metrics are shown.
const maxLogged = 200

// code are the tags that say which code a run ran.
var code = map[string]string{
	"mlflow.source.git.commit": "commit", "mlflow.source.name": "source", "mlflow.source.git.branch": "branch",
	"mlflow.source.git.repoURL": "repository", "mlflow.project.entryPoint": "entry point",
}

// facts are the settings and inputs of a subject, by kind and key.
func (s Subject) facts() map[[2]string]string {
	out := map[[2]string]string{}
	for _, p := range s.Params {
		out[[2]string{"param", p.Key}] = p.Value
	}
	for _, t := range s.RunTags {
		if name, ok := code[t.Key]; ok {
			out[[2]string{"code", name}] = t.Value
		}
	}
	for _, in := range s.Inputs {
		key := "dataset"
		for _, t := range in.Tags {
			if t.Key == contextTag {
				key = t.Value
			}
		}
		value := in.Dataset.Name + " " + in.Dataset.Digest
		if before, ok := out[[2]string{"data", key}]; ok {
			value = before + ", " + value
		}
		out[[2]string{"data", key}] = value
	}
	for _, line := range s.Environment {
		if name, version := requirement(line); name != "" {
			out[[2]string{"environment", name}] = version
		}
	}
	return out
}

// requirement takes a line of a requirements file apart: xgboost==3.0.2. A comment or
// an option has no name.
func requirement(line string) (name, version string) {
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "-") {
		return "", ""
	}
	at := strings.IndexAny(line, "=<>!~ ;@[")
	if at < 0 {
		return line, "any"
	}
	return line[:at], strings.TrimPrefix(strings.TrimSpace(line[at:]), "==")
}

// differs are the facts that are not the same for all, and the number that are. The
// constant has none and is left out.
func differs(subjects []Subject) (out []Fact, equal int) {
	all := make([]map[[2]string]string, len(subjects))
	keys := map[[2]string]bool{}
	for i, s := range subjects {
		all[i] = s.facts()
		for k := range all[i] {
			keys[k] = true
		}
	}
	kinds := []string{"param", "data", "code", "environment"}
	sorted := slices.SortedFunc(maps.Keys(keys), func(a, b [2]string) int {
		return cmp.Or(slices.Index(kinds, a[0])-slices.Index(kinds, b[0]), strings.Compare(a[1], b[1]))
	})
	out = []Fact{}
	for _, k := range sorted {
		f := Fact{Kind: k[0], Key: k[1], Values: make([]*string, len(subjects))}
		distinct := map[string]bool{}
		for i := range subjects {
			v, ok := all[i][k]
			if ok {
				f.Values[i] = &v
			}
			if !subjects[i].Constant {
				distinct[fmtFact(v, ok)] = true
			}
		}
		if len(distinct) == 1 {
			equal++
			continue
		}
		out = append(out, f)
	}
	return out, equal
}

func fmtFact(v string, ok bool) string {
	if ok {
		return "=" + v
	}
	return ""
}

// logged are the metrics of the runs, those of more runs first, and how many are left
// out.
func logged(subjects []Subject) (out []LoggedValue, more int) {
	at := map[string]*LoggedValue{}
	count := map[string]int{}
	for i, s := range subjects {
		for _, m := range s.Metrics {
			l := at[m.Key]
			if l == nil {
				l = &LoggedValue{Key: m.Key, Values: make([]*Logged, len(subjects))}
				at[m.Key] = l
			}
			if l.Values[i] == nil {
				count[m.Key]++
			}
			l.Values[i] = latest(m)
		}
	}
	keys := slices.SortedFunc(maps.Keys(at), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	out = []LoggedValue{}
	for _, k := range keys[:min(len(keys), maxLogged)] {
		out = append(out, *at[k])
	}
	return out, len(keys) - len(out)
}

func latest(m experiment.Metric) *Logged {
	l := &Logged{Step: m.Step, Dataset: strings.TrimSpace(m.DatasetName + " " + m.DatasetDigest)}
	if !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0) {
		l.Value = &m.Value
	}
	return l
}
