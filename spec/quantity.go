// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding/json"
	"strings"
	"time"

	"flyball/unit"
)

// quantities gives limits the unit that a reader expects, as the settings keep bare
// numbers: 0.05 of latency is 50ms, 0.01 of errors is 1%. A number that would not
// read back the same keeps its form.
func quantities(root *branch) {
	backIf := root.child("release").child("back_if")
	backIf.child("latency_p99").child("above").as(seconds)
	backIf.child("errors").child("above").as(unit.Percent)
	backIf.child("decisions_shift").child("above").as(unit.Percent)
	rules := root.child("gate").child("metrics")
	if rules == nil {
		return
	}
	for _, r := range rules.values {
		name := r.child("name")
		if name == nil {
			continue
		}
		if text, ok := name.scalar.(string); ok && strings.HasPrefix(text, "latency") {
			for _, limit := range []string{"at_most", "at_least", "within"} {
				r.child("require").child(limit).as(seconds)
			}
		}
	}
}

// seconds prints a number of seconds as a duration.
func seconds(x float64) (string, bool) {
	return unit.Duration(time.Duration(x * float64(time.Second)).Round(time.Millisecond)).String(), true
}

// child is the value of a key; nil when there is none. It may be called on nil.
func (b *branch) child(key string) *branch {
	if b == nil {
		return nil
	}
	for i, k := range b.keys {
		if k == key {
			return b.values[i]
		}
	}
	return nil
}

// as writes a number in another form, where that reads back as the same number.
func (b *branch) as(form func(float64) (string, bool)) {
	if b == nil {
		return
	}
	n, ok := b.scalar.(json.Number)
	if !ok {
		return
	}
	x, err := n.Float64()
	if err != nil || x < 0 || x > 1e6 {
		return
	}
	text, ok := form(x)
	if again, err := unit.ParseNumber(text); ok && err == nil && again == x {
		b.scalar = text
	}
}
