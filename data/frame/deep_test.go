// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/fault"
)

// TestARowThatIsNestedDeepIsRefused has rows that a reader which calls itself for each
// bracket would end the process on.
func TestARowThatIsNestedDeepIsRefused(t *testing.T) {
	p, err := NewPlan(planReaders()...)
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]string{"lists": "[", "objects": `{"a":`, "both": `[{"a":`} {
		deep := strings.Repeat(open, 8<<20/len(open))
		for _, row := range []string{deep, `{"a":` + deep, `{"zzz":` + deep} {
			rows := []json.RawMessage{[]byte(row)}
			if _, ok := p.Decode(rows); ok {
				t.Errorf("%s: the plan reads it", name)
			}
			if _, err := DecodeRows(rows, planReaders()[0]); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

// TestAHeadOfManyColumnsIsReadInTimeOfItsLength would take minutes if each name were looked
// for among the others.
func TestAHeadOfManyColumnsIsReadInTimeOfItsLength(t *testing.T) {
	var b strings.Builder
	for i := range 200_000 {
		b.WriteString(strconv.Itoa(i) + ",")
	}
	start := time.Now()
	in, err := OpenBytes("a.csv", []byte(b.String()+"z\n"), CSVOptions{})
	if err == nil {
		_, err = ReadAll(in)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("200,000 columns take %v (%v)", took, err)
	}
}
