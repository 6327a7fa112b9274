// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
)

// Limits of what is logged. Lengths are in characters.
const (
	MaxKey            = 250  // of a metric, param or tag
	MaxParamValue     = 6000 // longer ones are cut
	MaxTagValue       = 8000 // of a run; longer ones are cut
	MaxExperimentName = 500
	MaxExperimentTag  = 20000 // value of an experiment's tag
	MaxLocation       = 2048  // of artifacts
	MaxBatchMetrics   = 1000
	MaxBatchParams    = 100
	MaxBatchTags      = 100
	MaxBatch          = 1000 // metrics, params and tags together
	MaxUser           = 256
	MaxDatasetName    = 500
	MaxDigest         = 36
	MaxSourceType     = 255
	MaxSource         = 65535 // of a dataset
	MaxSchema         = 1048575
	MaxProfile        = 16777215
	MaxInputTagKey    = 255
	MaxInputTagValue  = 500
)

// ParseExperimentID reads the id of an experiment: a whole number that is not
// negative. The error is an Invalid fault.
func ParseExperimentID(s string) (ident.ExperimentID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "Invalid experiment ID '%s'. Experiment ID must be a valid integer.", clip(s))
	}
	return ident.ExperimentID(n), nil
}

// runID is what an id of a run may look like. Flyball's own are 32 hex digits; those
// of other servers may be anything of this shape.
var runID = regexp.MustCompile(`^[a-zA-Z0-9][\pL\pN_\-]{0,255}$`)

// CheckRunID refuses what cannot be the id of a run. The error is an Invalid fault.
func CheckRunID(id ident.RunID) error {
	if !runID.MatchString(string(id)) {
		return invalid("run_id", string(id), "")
	}
	return nil
}

// checkExperimentName refuses names that nobody could read or type.
func checkExperimentName(name string) error {
	if strings.TrimSpace(name) == "" {
		return fault.New(fault.Invalid, "Invalid experiment name: '%s'", clip(name))
	}
	return checkLength("name", MaxExperimentName, name)
}

func checkLength(what string, limit int, s string) error {
	if len(s) > limit && utf8.RuneCountInString(s) > limit {
		return fault.New(fault.Invalid, "'%s' exceeds the maximum length of %d characters", what, limit)
	}
	return nil
}

// checkKey refuses keys with characters that no file may have, and keys that mean
// another place when they are taken for a path: MLflow's own stores keep them so.
// where is the JSON path of the key.
func checkKey(where, key string) error {
	for _, r := range key {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("/_.- :", r) {
			return invalid(where, key, "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).")
		}
	}
	if clean := path.Clean(key); clean != key || clean == "." || strings.HasPrefix(clean, "..") || strings.HasPrefix(clean, "/") {
		return invalid(where, key, fmt.Sprintf("Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '%s'", clip(clean)))
	}
	return nil
}

// checkMetric checks a point and gives it as it is kept: infinities are the largest
// numbers. at is the JSON path of the metric, with a dot at its end unless empty.
func checkMetric(at string, m Metric) (Metric, error) {
	if err := checkKey(at+"name", m.Key); err != nil {
		return m, err
	}
	if err := checkLength("Metric name", MaxKey, m.Key); err != nil {
		return m, err
	}
	if m.Timestamp < 0 {
		return m, invalid(at+"timestamp", m.Timestamp, fmt.Sprintf("metric '%s' (value=%s). Timestamp must be a nonnegative long (64-bit integer) ", m.Key, pythonFloat(m.Value)))
	}
	if err := checkLink(m); err != nil {
		return m, err
	}
	if math.IsInf(m.Value, 0) {
		m.Value = math.Copysign(math.MaxFloat64, m.Value)
	}
	return m, nil
}

func checkLink(m Metric) error {
	if err := checkLength("model_id", MaxKey, string(m.ModelID)); err != nil {
		return err
	}
	if err := checkLength("dataset_name", MaxDatasetName, m.DatasetName); err != nil {
		return err
	}
	return checkLength("dataset_digest", MaxDigest, m.DatasetDigest)
}

// checkParam checks a param and gives it as it is kept, with a long value cut.
func checkParam(at string, p Param) (Param, error) {
	if err := checkKey(at+"key", p.Key); err != nil {
		return p, err
	}
	p.Value = cut(p.Value, MaxParamValue)
	return p, checkLength("Param key", MaxKey, p.Key)
}

// checkTag checks a tag of a run and gives it as it is kept, with a long value cut.
func checkTag(at string, t Tag) (Tag, error) {
	if err := checkKey(at+"key", t.Key); err != nil {
		return t, err
	}
	t.Value = cut(t.Value, MaxTagValue)
	return t, checkLength(at+"key", MaxKey, t.Key)
}

// checkExperimentTag checks a tag of an experiment.
func checkExperimentTag(t Tag) error {
	if err := checkKey("key", t.Key); err != nil {
		return err
	}
	if err := checkLength("key", MaxKey, t.Key); err != nil {
		return err
	}
	return checkLength("value", MaxExperimentTag, t.Value)
}

// checkBatch checks what one request logs and gives it as it is kept.
func checkBatch(b Batch) (Batch, error) {
	if err := CheckRunID(b.Run); err != nil {
		return b, err
	}
	b.Metrics, b.Params, b.Tags = slices.Clone(b.Metrics), slices.Clone(b.Params), slices.Clone(b.Tags)
	var err error
	for i := range b.Metrics {
		if b.Metrics[i], err = checkMetric(at("metrics", i), b.Metrics[i]); err != nil {
			return b, err
		}
	}
	for i := range b.Params {
		if b.Params[i], err = checkParam(at("params", i), b.Params[i]); err != nil {
			return b, err
		}
	}
	for i := range b.Tags {
		if b.Tags[i], err = checkTag(at("tags", i), b.Tags[i]); err != nil {
			return b, err
		}
	}
	return b, checkOnce(b.Params)
}

func checkAmounts(metrics, params, tags int) error {
	for _, c := range []struct {
		what     string
		n, limit int
	}{
		{"metrics", metrics, MaxBatchMetrics},
		{"params", params, MaxBatchParams},
		{"tags", tags, MaxBatchTags},
		{"metrics, params, and tags", metrics + params + tags, MaxBatch},
	} {
		if c.n > c.limit {
			return fault.New(fault.Invalid, "A batch logging request can contain at most %d %s. Got %d %s. Please split up %s across multiple requests and try again.",
				c.limit, c.what, c.n, c.what, c.what)
		}
	}
	return nil
}

// checkOnce refuses a param that is given twice in one batch.
func checkOnce(params []Param) error {
	seen := make(map[string]bool, len(params))
	var twice []string
	for _, p := range params {
		if seen[p.Key] {
			twice = append(twice, "'"+p.Key+"'")
		}
		seen[p.Key] = true
	}
	if len(twice) > 0 {
		return fault.New(fault.Invalid, "Duplicate parameter keys have been submitted: [%s]. Please ensure the request contains only one param value per param key.", strings.Join(twice, ", "))
	}
	return nil
}

// checkInput checks a dataset that a run read.
func checkInput(in Input) error {
	if in.Dataset.Name == "" || in.Dataset.Digest == "" {
		return fault.New(fault.Invalid, "A dataset needs a name and a digest.")
	}
	for _, c := range []struct {
		what, text string
		limit      int
	}{
		{"name", in.Dataset.Name, MaxDatasetName},
		{"digest", in.Dataset.Digest, MaxDigest},
		{"source_type", in.Dataset.SourceType, MaxSourceType},
		{"source", in.Dataset.Source, MaxSource},
		{"schema", in.Dataset.Schema, MaxSchema},
		{"profile", in.Dataset.Profile, MaxProfile},
	} {
		if err := checkLength(c.what, c.limit, c.text); err != nil {
			return err
		}
	}
	for _, t := range in.Tags {
		if err := checkLength("key", MaxInputTagKey, t.Key); err != nil {
			return err
		}
		if err := checkLength("value", MaxInputTagValue, t.Value); err != nil {
			return err
		}
	}
	return nil
}

func at(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]." }

// invalid is MLflow's refusal of a value. why may be empty.
func invalid(where string, value any, why string) error {
	if s, ok := value.(string); ok {
		value = clip(s)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // texts and whole numbers only, which are always written
	written := strings.TrimSuffix(b.String(), "\n")
	if why == "" {
		return fault.New(fault.Invalid, "Invalid value %s for parameter '%s' supplied.", written, where)
	}
	return fault.New(fault.Invalid, "Invalid value %s for parameter '%s' supplied: %s", written, where, why)
}

// clip shortens what a message repeats of the caller's text.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= 300 {
		return s
	}
	return cut(s, 300) + "…"
}

// cut is the first n characters of s.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// pythonFloat writes a number as Python shows it: 1.0, 1e-05.
func pythonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
