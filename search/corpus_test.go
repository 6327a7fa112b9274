// SPDX-License-Identifier: Apache-2.0

package search_test

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"flyball/fault"
	"flyball/search"
)

// asked is one line of testdata/corpus.jsonl: what MLflow made of a filter or order.
type asked struct {
	Of      string
	Filter  *string
	Order   []json.RawMessage
	Read    [][]any
	Refused string
	Broke   string
}

// meant are the places where the reading here is not MLflow's, each with its reason.
// A pattern that meets no line of the corpus fails the test.
var meant = []struct{ of, filter, reason string }{
	{"runs", `^ $`, "a blank filter is no filter"},
	{"runs", `^metrics\.a > 1 metrics\.b > 2$`, "comparisons are joined by AND"},
	{"runs", `1e\+5$`, "a number as programs print it"},
	{"runs", `IS  NOT  NULL`, "spaces do not count"},
	{"runs", `^metrics\.( |\* )> 1$|params\.(''|""|` + "``" + `) =`, "there is no such key"},
	{"runs", `''s'$|""x""`, "a quote inside a text is written twice"},
	{"runs", "a``b", "a quote inside a key is written twice"},
	{"runs", `^"params"\.a =`, "an entity may be quoted in any way"},
	{"runs", `^params\. a =`, "a key does not begin with a space"},
	{"runs", `'x\\'y'$`, "a backslash is a character"},
	{"runs", `^params\.(2|in) =`, "any word may be a key"},
	{"runs", `\('a' 'b'\)$`, "texts of a list are joined by commas"},
	{"runs", `^metrics\.a > 1; |^metrics\.a \+ 1|^abs\(|^params\.a[/#]b|&&`, "what is not in the language is told as such"},
	{"runs", "^[`\"](metrics|params)\\.a[`\"] ", "quotes keep together what is between them"},
	{"runs", `^params \.a =`, "there is no space in a name"},
	{"runs", `0x10$`, "it does not look like a number"},
	{"runs", `^created is null$`, "an attribute is told by its own name"},
	{"experiments", `^experiment_id = \('x'\)$`, "a list is not a text"},
	{"logged_models", `_time(stamp)? (LIKE|ilike|IN|not in|==) `, "an attribute is told by its own name"},
	{"experiments", `(like|ilike|is null|not in) ?`, "operators may be written in any case"},
	{"models", `^attributes\.name|^.name. =`, "both words name attributes, and names may be quoted"},
	{"logged_models", `(?i)is null`, "as for runs"},
	{"logged_models", `"x"$`, "both quotes are quotes"},
	{"logged_models", `^lifecycle_stage|^(attributes\.)?foo`, "an attribute that nobody documents is none"},
	{"logged_models", `^last_updated_time >`, "a name that MLflow's own client knows"},
	{"logged_models", `^(metric|param|attribute)\.`, "entities in the singular too"},
	{"logged_models", `^status`, "a status is one of three"},
}

func TestFiltersReadAsMLflowReadsThem(t *testing.T) {
	used := make([]bool, len(meant))
	for _, a := range corpus(t) {
		if a.Filter == nil {
			continue
		}
		got, err := parse(a.Of, *a.Filter)
		if why := differs(a, got, err); why != "" && !allowed(a, used) {
			t.Errorf("%s %q: %s", a.Of, *a.Filter, why)
		}
	}
	for i, m := range meant {
		if !used[i] {
			t.Errorf("%s %s: nothing in the corpus is so", m.of, m.filter)
		}
	}
}

// meantOrders are the same for orders.
var meantOrders = map[string]string{
	"models [creation_timestamp]":      "documented, and refused by this MLflow",
	"models [creation_timestamp DESC]": "documented, and refused by this MLflow",
	"models [attribute.name]":          "an attribute is an attribute",
	"logged_models metrics.":           "there is no such key",
	"logged_models metrics.a d=,x":     "a digest needs a name, as MLflow's other store says",
}

func TestOrdersReadAsMLflowReadsThem(t *testing.T) {
	used := 0
	for _, a := range corpus(t) {
		if a.Filter != nil {
			continue
		}
		name, got, err := order(t, a)
		if _, ok := meantOrders[a.Of+" "+name]; ok {
			used++
			continue
		}
		switch {
		case a.Refused == "" && err != nil:
			t.Errorf("%s %s: MLflow reads it: %v", a.Of, name, err)
		case a.Refused == "" && len(got) == 0:
			t.Errorf("%s %s: nothing was read", a.Of, name)
		case a.Refused != "" && err == nil:
			t.Errorf("%s %s: MLflow refuses: %s", a.Of, name, a.Refused)
		case a.Refused != "":
			if why := message(a.Refused, err); why != "" {
				t.Errorf("%s %s: %s", a.Of, name, why)
			}
		}
	}
	if used != len(meantOrders) {
		t.Errorf("%d of %d differences are in the corpus", used, len(meantOrders))
	}
}

func order(t *testing.T, a asked) (name string, got []search.Order, err error) {
	t.Helper()
	if a.Of == "logged_models" {
		sent := struct {
			Field     string `json:"field_name"`
			Ascending *bool  `json:"ascending"`
			Name      string `json:"dataset_name"`
			Digest    string `json:"dataset_digest"`
		}{}
		if err := json.Unmarshal(a.Order[0], &sent); err != nil {
			t.Fatal(err)
		}
		name = sent.Field
		if sent.Name+sent.Digest != "" {
			name += " d=" + sent.Name + "," + sent.Digest
		}
		by := search.OrderBy{Field: sent.Field, Desc: sent.Ascending != nil && !*sent.Ascending, DatasetName: sent.Name, DatasetDigest: sent.Digest}
		got, err = search.LoggedModelsOrder([]search.OrderBy{by})
		return name, got, err
	}
	clauses := make([]string, len(a.Order))
	for i := range a.Order {
		if err := json.Unmarshal(a.Order[i], &clauses[i]); err != nil {
			t.Fatal(err)
		}
	}
	name = "[" + strings.Join(clauses, "; ") + "]"
	read := map[string]func([]string) ([]search.Order, error){
		"runs": search.RunsOrder, "experiments": search.ExperimentsOrder, "models": search.ModelsOrder, "versions": search.VersionsOrder,
	}[a.Of]
	got, err = read(clauses)
	return name, got, err
}

func allowed(a asked, used []bool) bool {
	any := false
	for i, m := range meant {
		if m.of == a.Of && regexp.MustCompile(m.filter).MatchString(*a.Filter) {
			used[i], any = true, true
		}
	}
	return any
}

func corpus(t *testing.T) []asked {
	t.Helper()
	f, err := os.Open("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []asked
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var a asked
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 500 {
		t.Fatalf("the corpus has %d lines", len(all))
	}
	return all[1:] // the first says which MLflow
}

func parse(of, filter string) (search.Filter, error) {
	switch of {
	case "runs":
		return search.Runs(filter)
	case "experiments":
		return search.Experiments(filter)
	case "models":
		return search.Models(filter)
	case "versions":
		return search.Versions(filter)
	}
	return search.LoggedModels(filter)
}

// differs says how a filter was read otherwise than MLflow read it; empty: it was not.
func differs(a asked, got search.Filter, err error) string {
	switch {
	case a.Broke != "" || strings.Contains(a.Refused, "sqlite3") || strings.Contains(a.Refused, "object at 0x") || strings.Contains(a.Refused, "SqlLoggedModel"):
		if err == nil {
			return "MLflow broke, and this reads " + got.String()
		}
		return ""
	case a.Refused != "" && err == nil:
		return "MLflow refuses: " + a.Refused
	case a.Refused != "":
		return message(a.Refused, err)
	case err != nil:
		return "MLflow reads it: " + err.Error()
	case len(got) != len(a.Read):
		return "MLflow reads another number of comparisons than " + got.String()
	}
	for i, c := range got {
		if want := canonical(a.Of, a.Read[i]); c.String() != want {
			return "got " + c.String() + ", want " + want
		}
	}
	return ""
}

var sets = regexp.MustCompile(`'\{[^}]*\}'?|Expected one of \([^)]*\)|\{[^}]*\}`)

// message compares what is told; sets are told in any order.
func message(want string, err error) string {
	if !fault.Is(err, fault.Invalid) {
		return "not an Invalid fault"
	}
	got := err.Error()
	if begin := "Invalid clause(s) in filter string: "; strings.HasPrefix(want, begin) && strings.HasPrefix(got, begin) {
		return "" // the rest may name more or less of what is wrong
	}
	if strings.Contains(want, "could not convert string to float") && strings.HasPrefix(got, "Expected numeric value type for") {
		return "" // MLflow lets Python's words through
	}
	if strings.Contains(got, "look at column") || sets.ReplaceAllString(got, "…") != sets.ReplaceAllString(want, "…") {
		return "got " + got + ", want " + want
	}
	return ""
}

// canonical writes a comparison of MLflow as search does.
func canonical(of string, c []any) string {
	key := c[1].(string)
	f := search.Comparison{Key: key}
	f.Entity = map[string]search.Entity{"attribute": 0, "metric": 1, "parameter": 2, "tag": 3, "dataset": 4}[strings.TrimSuffix(c[0].(string), "s")]
	if c[0] == "params" {
		f.Entity = search.Param
	}
	if f.Entity == search.Attribute {
		switch key {
		case "created", "Created":
			f.Key = "start_time"
		case "run name", "Run name", "Run Name":
			f.Key = "run_name"
		}
		f.Key = strings.TrimSuffix(f.Key, "_ms")
	}
	for f.Op = 0; f.Op.String() != c[2]; f.Op++ {
	}
	switch v := c[3].(type) {
	case float64:
		f.Number, f.IsNum = v, of != "logged_models" || f.Key != "a" || f.Entity == search.Metric
		if !f.IsNum {
			f.Text = strconv.FormatFloat(v, 'g', -1, 64)
		}
	case string:
		f.Text = v
		if f.Entity == search.Metric || f.Key == "version_number" {
			f.Number, _ = strconv.ParseFloat(v, 64)
			f.IsNum = true
		}
	case []any:
		for _, x := range v {
			f.List = append(f.List, x.(string))
		}
	}
	return f.String()
}
