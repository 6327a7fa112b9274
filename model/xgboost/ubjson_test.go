// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"strings"
	"testing"

	"flyball/fault"
)

func TestUBJSONBecomesTheSameJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an object", "{L\x00\x00\x00\x00\x00\x00\x00\x01aSL\x00\x00\x00\x00\x00\x00\x00\x02hi}", `{"a":"hi"}`},
		{"a counted object", "{#i\x01i\x01aT", `{"a":true}`},
		{"typed floats", "[$d#i\x02\x3f\x80\x00\x00\xbe\xcc\xcc\xcd", `[1E+00,-4E-01]`},
		{"typed bytes", "[$U#i\x03\x00\x01\xff", `[0,1,255]`},
		{"typed integers", "[$l#i\x02\xff\xff\xff\xff\x7f\xff\xff\xff", `[-1,2147483647]`},
		{"a list of anything", "[ZFI\xff\x38ND\x3f\xf8\x00\x00\x00\x00\x00\x00[]]", `[null,false,-200,1.5E+00,[]]`},
		{"nothing in a list", "[#i\x00", `[]`},
		{"what is not finite", "[$d#i\x02\x7f\xc0\x00\x00\xff\x80\x00\x00", `[NaN,-Infinity]`},
	} {
		got, err := FromUBJSON([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestWhatIsNoUBJSONIsRefusedWithoutMuchMemory(t *testing.T) {
	for _, c := range []struct{ name, in, says string }{
		{"nothing", "", "ends too early"},
		{"a list longer than the file", "[$l#l\x7f\xff\xff\xff", "more than there is"},
		{"a list of members without bytes", "[$Z#l\x7f\xff\xff\xff", "a type that XGBoost does not write"},
		{"a negative length", "[$d#i\xff", "more than there is"},
		{"a text longer than the file", "Si\x09abc", "more than there is"},
		{"what is nested too deeply", strings.Repeat("[", 40), "nested too deeply"},
		{"two documents", "ZZ", "goes on"},
		{"an open list", "[Z", "ends too early"},
	} {
		_, err := FromUBJSON([]byte(c.in))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.says)
		}
	}
}

func TestAModelSaysItsColumnsAndItsBestIteration(t *testing.T) {
	doc := `{"learner":{"attributes":{"best_iteration":"6"},"feature_names":["a","b"],"objective":{"name":"binary:logistic"}}}`
	got, err := ReadAbout([]byte(doc))
	if err != nil || got.Best != 7 || len(got.Features) != 2 || got.Objective != "binary:logistic" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := ReadAbout([]byte(strings.Replace(doc, `"6"`, `"-2"`, 1))); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
}
