// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// names are the models of an answer, or the versions as model@number, and its token.
func names(t *testing.T, answer string) (found, token string) {
	t.Helper()
	var got struct {
		Models []struct {
			Name string `json:"name"`
		} `json:"registered_models"`
		Versions []struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"model_versions"`
		Next *string `json:"next_page_token"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	var out []string
	for _, m := range got.Models {
		out = append(out, m.Name)
	}
	for _, v := range got.Versions {
		out = append(out, v.Name+"@"+v.Version)
	}
	if got.Next != nil {
		token = *got.Next
		if token == "" {
			t.Errorf("%s: an empty token must be absent", answer)
		}
	}
	return strings.Join(out, " "), token
}

// library is a desk with models a, B, c and a prompt, and some versions of them.
func library(t *testing.T) *desk {
	d := newDesk(t)
	d.furnish()
	for _, s := range []string{
		`registered-models/create {"name":"c","tags":[{"key":"team","value":"x"}]}`,
		`registered-models/create {"name":"a","tags":[{"key":"team","value":"Y"}]}`,
		`registered-models/create {"name":"B"}`,
		`registered-models/create {"name":"greeting","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}`,
		`model-versions/create {"name":"c","source":"models:/` + modelA + `","tags":[{"key":"k","value":"v"}]}`,
		`model-versions/create {"name":"a","source":"s3://b/1","run_id":"` + runB + `"}`,
		`model-versions/create {"name":"c","source":"s3://b/2"}`,
		`model-versions/create {"name":"greeting","source":"dummy-source","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}`,
	} {
		path, body, _ := strings.Cut(s, " ")
		d.now.Add(1)
		if status, answer := d.send(post, path, body); status != 200 {
			t.Fatalf("%s: %d %s", s, status, answer)
		}
	}
	return d
}

func TestModelsAreFound(t *testing.T) {
	d := library(t)
	for _, c := range []struct{ name, filter, order, want string }{
		{"all but prompts, by name", "", "", "B a c"},
		{"as Python asks", "tag.`mlflow.prompt.is_prompt` != 'true'", "", "B a c"},
		{"as some ask", "tags.`mlflow.prompt.is_prompt` = 'false'", "", "B a c"},
		{"prompts", "tags.`mlflow.prompt.is_prompt` = 'true'", "", "greeting"},
		{"prompts in other words", "tags.`mlflow.prompt.is_prompt` != 'false'", "", "greeting"},
		{"by name", "name = 'a'", "", "a"},
		{"not by name", "name != 'a'", "", "B c"},
		{"like", "name LIKE '%'", "", "B a c"},
		{"like without case", "name ILIKE 'b'", "", "B"},
		{"one of", "name IN ('a','B','greeting')", "", "B a"},
		{"a tag", "tags.team = 'x'", "", "c"},
		{"not a tag leaves out who has none", "tags.team != 'x'", "", "a"},
		{"a tag without case", "tag.team ILIKE 'y'", "", "a"},
		{"a prompt by its other tags", "tags.team = 'x' AND tags.`mlflow.prompt.is_prompt` = 'true'", "", ""},
		{"the name backwards", "", "name DESC", "c a B"},
		{"by the last change", "", "last_updated_timestamp DESC", "c a B"},
		{"by the last change in MLflow's words", "", "timestamp ASC", "B a c"},
		{"by age", "", "creation_timestamp", "c a B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := url.Values{"filter": {c.filter}}
			body := map[string]any{"filter": c.filter, "max_results": "100"} // as R sends it
			if c.order != "" {
				q.Set("order_by", c.order)
				body["order_by"] = []string{c.order}
			}
			raw, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			for verb, send := range map[string]string{get: q.Encode(), post: string(raw)} {
				status, answer := d.send(verb, "registered-models/search", send)
				if got, token := names(t, answer); status != 200 || got != c.want || token != "" {
					t.Errorf("%s: got %d %s %q, want %s", verb, status, answer, token, c.want)
				}
			}
		})
	}
}

func TestVersionsAreFound(t *testing.T) {
	d := library(t)
	for _, c := range []struct{ name, filter, order, want string }{
		{"all but prompts', the last changed first", "", "", "c@2 a@1 c@1"},
		{"as Python asks", "name='c'", "", "c@2 c@1"},
		{"of a run", "run_id = '" + runA + "'", "", "c@1"},
		{"of several runs", "run_id IN ('" + runA + "', '" + runB + "')", "", "a@1 c@1"},
		{"of no run of these", "run_id NOT IN ('" + runA + "')", "", "c@2 a@1"},
		{"by source", "source_path LIKE 's3:%'", "", "c@2 a@1"},
		{"by number", "version_number > 1", "", "c@2"},
		{"by tag", "name = 'c' and tags.k = 'v'", "", "c@1"},
		{"prompts", "tags.`mlflow.prompt.is_prompt` = 'true'", "", "greeting@1"},
		{"by number, backwards", "name = 'c'", "version_number ASC", "c@1 c@2"},
		{"by name", "", "name DESC", "c@2 c@1 a@1"},
		{"by age", "", "creation_timestamp ASC", "c@1 a@1 c@2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := url.Values{"filter": {c.filter}, "max_results": {"10000"}}
			if c.order != "" {
				q.Set("order_by", c.order)
			}
			status, answer := d.send(get, "model-versions/search", q.Encode())
			if got, token := names(t, answer); status != 200 || got != c.want || token != "" {
				t.Errorf("got %d %s %q, want %s", status, answer, token, c.want)
			}
		})
	}
	_, answer := d.send(get, "model-versions/search", "filter="+url.QueryEscape("version_number = 1 AND name = 'c'"))
	if want := `{"model_versions":[{"name":"c","version":"1","creation_timestamp":1005,"last_updated_timestamp":1005,"current_stage":"None","description":"","source":"models:/` + modelA + `","run_id":"` + runA + `","status":"READY","tags":[{"key":"k","value":"v"}],"run_link":""}]}`; answer != want {
		t.Errorf("got %s\nwant %s", answer, want)
	}
}

func TestPagesOfTheRegistry(t *testing.T) {
	d := newDesk(t)
	if status, answer := d.send(post, "registered-models/create", `{"name":"m0"}`); status != 200 {
		t.Fatal(answer)
	}
	for i := range 7 {
		if status, answer := d.send(post, "model-versions/create", `{"name":"m0","source":"s3://b/m"}`); status != 200 {
			t.Fatal(answer)
		}
		if i == 0 {
			continue
		}
		if status, answer := d.send(post, "registered-models/create", fmt.Sprintf(`{"name":"m%d"}`, i)); status != 200 {
			t.Fatal(answer)
		}
	}
	for _, c := range []struct{ path, order, want string }{
		{"registered-models/search", "name DESC", "m6 m5 m4 m3 m2 m1 m0"},
		{"registered-models/search", "timestamp DESC", "m0 m1 m2 m3 m4 m5 m6"}, // all at once, so by name
		{"model-versions/search", "version_number ASC", "m0@1 m0@2 m0@3 m0@4 m0@5 m0@6 m0@7"},
		{"model-versions/search", "", "m0@7 m0@6 m0@5 m0@4 m0@3 m0@2 m0@1"},
	} {
		for size := 1; size <= 8; size++ {
			var all []string
			token := ""
			for pages := 0; ; pages++ {
				q := url.Values{"max_results": {strconv.Itoa(size)}}
				if c.order != "" {
					q.Set("order_by", c.order)
				}
				if token != "" {
					q.Set("page_token", token)
				}
				status, answer := d.send(get, c.path, q.Encode())
				if status != 200 || pages > 8 {
					t.Fatalf("%d %s", status, answer)
				}
				var got string
				got, token = names(t, answer)
				all = append(all, got)
				if token == "" {
					if want := (7 + size - 1) / size; pages+1 != want {
						t.Errorf("%s by %d: got %d pages, want %d", c.path, size, pages+1, want)
					}
					break
				}
			}
			if got := strings.Join(all, " "); got != c.want {
				t.Errorf("%s by %d: got %s, want %s", c.path, size, got, c.want)
			}
		}
	}
}

func TestSearchesOfTheRegistryThatAreRefused(t *testing.T) {
	d := library(t)
	for _, c := range []struct{ name, path, query, want string }{
		{"no models", "registered-models/search", "max_results=0", "Invalid value for max_results. It must be a positive integer, but got 0"},
		{"too many models", "registered-models/search", "max_results=1001", "Invalid value for request parameter max_results. It must be at most 1000, but got value 1001"},
		{"no versions", "model-versions/search", "max_results=-1", "Invalid value for max_results. It must be a positive integer, but got -1"},
		{"too many versions", "model-versions/search", "max_results=200001", "Invalid value for request parameter max_results. It must be at most 200000, but got value 200001"},
		{"OR", "registered-models/search", "filter=" + url.QueryEscape("name = 'a' OR name = 'b'"), "Invalid clause(s) in filter string: OR"},
		{"an operator that names do not have", "registered-models/search", "filter=" + url.QueryEscape("name > 'a'"), "Invalid comparator for attribute: >"},
		{"null of models", "registered-models/search", "filter=" + url.QueryEscape("tags.a IS NULL"), "IS NULL / IS NOT NULL is not supported for registered model search."},
		{"null of versions", "model-versions/search", "filter=" + url.QueryEscape("tags.a IS NOT NULL"), "IS NULL / IS NOT NULL is not supported for model version search."},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.play([]step{{c.name, get, c.path, c.query, 400, wrongValue + c.want}})
		})
	}
	status, answer := d.send(get, "registered-models/search", "page_token=x")
	if status != 400 || !strings.Contains(answer, "Invalid page token, ") {
		t.Errorf("got %d %s, want that the token cannot be read", status, answer)
	}
}
