// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestARowIsKeptWithoutTheSpacesBetweenItsValues(t *testing.T) {
	for _, row := range []string{
		`{}`, ` { } `, `{"a":1,"b":null}`, "{\n\t\"a\" : 1.5e3 ,\r\n\"b\": [ 1, 2 ] }",
		`{"two words": " kept  as it is ", "x" : true}`,
		`{"quote \" and \\": "\\\" ", "y": "\\" , "z ": "\u0020 "}`, `{"ä ö": "é  "}`,
	} {
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(row)); err != nil {
			t.Fatal(err)
		}
		if got := compact(json.RawMessage(row)); string(got) != want.String() {
			t.Errorf("%s becomes %s, want %s", row, got, &want)
		}
	}
	for _, row := range []string{``, `\`, `{"a":"\`, `{" `} {
		compact(json.RawMessage(row)) // is no JSON, and does no harm
	}
}

func TestAKeptRowIsItsOwn(t *testing.T) {
	row := []byte(`{"a":1}`)
	got := compact(row)
	row[2] = 'b'
	if string(got) != `{"a":1}` {
		t.Errorf("the row changed with the request: %s", got)
	}
}
