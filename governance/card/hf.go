// SPDX-License-Identifier: Apache-2.0

package card

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// HuggingFace is the card as a README of Hugging Face: its metadata, with the results of
// this version as model-index, and then the Markdown. It says nothing of a licence, which
// nobody told Flyball; see https://huggingface.co/docs/hub/model-cards.
func (c Card) HuggingFace() string {
	task := "tabular-classification"
	if c.Task == "regression" {
		task = "tabular-regression"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "---\nlibrary_name: flyball\npipeline_tag: %s\ntags:\n- flyball\n- %s\nmodel-index:\n- name: %s\n  results:\n", task, task, quote(c.Ref))
	fmt.Fprintf(&b, "  - task:\n      type: %s\n    dataset:\n      type: flyball-snapshot\n      name: %s\n", task, quote(c.Model))
	if c.Data.Snapshot != "" {
		fmt.Fprintf(&b, "      revision: %s\n", quote(string(c.Data.Snapshot)))
	}
	b.WriteString("    metrics:\n")
	seen := map[string]bool{}
	for _, e := range c.Estimates {
		if e.Role != "candidate" || e.Slice != "" || !finite(e.Value, e.Low, e.High) || seen[e.Metric] {
			continue
		}
		seen[e.Metric] = true
		fmt.Fprintf(&b, "    - type: %s\n      name: %s\n      value: %s\n      args:\n        low: %s\n        high: %s\n        level: 0.95\n        rows: %d\n",
			quote(e.Metric), quote(e.Metric), number(e.Value), number(e.Low), number(e.High), e.Rows)
	}
	for _, d := range c.Compared {
		if d.Slice == "" && finite(d.Candidate) && !seen[d.Metric] {
			seen[d.Metric] = true
			fmt.Fprintf(&b, "    - type: %s\n      name: %s\n      value: %s\n      args:\n        rows: %d\n", quote(d.Metric), quote(d.Metric), number(d.Candidate), d.Rows)
		}
	}
	text := b.String()
	if len(seen) == 0 {
		text = strings.TrimSuffix(text, "\n") + " []\n"
	}
	return text + "---\n\n" + c.Markdown()
}

// quote is a text that YAML reads as a text: JSON's is one.
func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always has a JSON form
	}
	return string(raw)
}

// number is a figure that YAML 1.1 reads as a number too, which wants a point before an exponent.
func number(v float64) string {
	s := fmt.Sprintf("%.9g", v)
	if at := strings.IndexByte(s, 'e'); at > 0 && !strings.Contains(s[:at], ".") {
		s = s[:at] + ".0" + s[at:]
	}
	return s
}

func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
