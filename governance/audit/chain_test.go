// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

// The hashes were computed by Python's hashlib over the lines written by hand:
// prev + {"action":…,"actor":…,"at":…,"data":…,"object":…,"prev":…,"seq":…,"why":…}.
const (
	first  = "2791ee8bb9c3c80b3f55ebddeeb4d8a4109dc609cd5babf8d040c0f54e6436f6"
	second = "ee44bb17f9617dd7ed507fc1c0ddb3dcfeaa1d674ab2d2496fd89ee5c1bed235"
)

func chain(t *testing.T) []audit.Record {
	t.Helper()
	one, err := audit.Seal(audit.Start, audit.Record{
		Seq: 1, At: time.Date(2026, 3, 1, 13, 0, 0, 1999, time.FixedZone("", 3600)), Actor: "ana", Action: "apply",
		Object: "hotel-cancel", Why: "new <season>", Data: json.RawMessage(`{ "b": 1.50, "a": "é" }`),
	})
	if err != nil {
		t.Fatal(err)
	}
	two, err := audit.Seal(one.Hash, audit.Record{
		Seq: 2, At: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Actor: "flyball", Action: "promote", Object: "hotel-cancel@2",
	})
	if err != nil {
		t.Fatal(err)
	}
	three, err := audit.Seal(two.Hash, audit.Record{Seq: 3, Actor: "bo", Action: "rollback", Object: "hotel-cancel"})
	if err != nil {
		t.Fatal(err)
	}
	return []audit.Record{one, two, three}
}

func verify(rs []audit.Record) (audit.End, error) {
	return audit.Verify(func() (audit.Record, bool, error) {
		if len(rs) == 0 {
			return audit.Record{}, false, nil
		}
		r := rs[0]
		rs = rs[1:]
		return r, true, nil
	})
}

func TestARecordHasTheHashThatAnotherToolComputes(t *testing.T) {
	rs := chain(t)
	if got, want := string(rs[0].Data), `{"a":"é","b":1.50}`; got != want {
		t.Errorf("data: got %s, want %s", got, want)
	}
	if rs[0].Hash != first || rs[1].Hash != second || rs[1].Prev != first {
		t.Errorf("got %s and %s, want %s and %s", rs[0].Hash, rs[1].Hash, first, second)
	}
}

func TestAChainThatWasTouchedIsFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		touch func(rs []audit.Record) []audit.Record
		want  string // in the message; empty: the chain holds
		end   int64
	}{
		{"an untouched chain holds", func(rs []audit.Record) []audit.Record { return rs }, "", 3},
		{"an empty chain holds", func([]audit.Record) []audit.Record { return nil }, "", 0},
		{
			"a record with another reason is named", func(rs []audit.Record) []audit.Record { rs[1].Why = "because"; return rs },
			"audit record 2 (promote hotel-cancel@2 by flyball) was changed", 1,
		},
		{"a record a microsecond later is named", func(rs []audit.Record) []audit.Record {
			rs[2].At = rs[2].At.Add(time.Microsecond)
			return rs
		}, "audit record 3 (rollback hotel-cancel by bo) was changed", 2},
		{
			"a record that was removed is named", func(rs []audit.Record) []audit.Record { return []audit.Record{rs[0], rs[2]} },
			"audit record 2 is missing", 1,
		},
		{"a record that was removed and numbered over is named", func(rs []audit.Record) []audit.Record {
			rs[2].Seq = 2
			return []audit.Record{rs[0], rs[2]}
		}, "audit record 2 does not follow", 1},
		{"a record that was made anew with its hash breaks the next", func(rs []audit.Record) []audit.Record {
			rs[0].Why = "forged"
			rs[0], _ = audit.Seal(audit.Start, rs[0])
			return rs
		}, "audit record 2 does not follow", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			end, err := verify(c.touch(chain(t)))
			if end.Seq != c.end {
				t.Errorf("end: got %d, want %d", end.Seq, c.end)
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAnErrorOfReadingIsNoVerdict(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := audit.Verify(func() (audit.Record, bool, error) { return audit.Record{}, false, broken })
	if !errors.Is(err, broken) || fault.Is(err, fault.Refused) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestDataMustBeOneJSONValue(t *testing.T) {
	for _, bad := range []string{"{", "nope", "{} {}", `{"a":1}x`} {
		if _, err := audit.Seal(audit.Start, audit.Record{Data: json.RawMessage(bad)}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v, want invalid", bad, err)
		}
	}
}

func FuzzSealThenVerify(f *testing.F) {
	f.Add("ana", "apply", "why", []byte(`{"a":[1,2e400,"<"]}`))
	f.Add("a\x00b", "\xff", "\u2028", []byte("null"))
	f.Fuzz(func(t *testing.T, actor, action, why string, data []byte) {
		r, err := audit.Seal(audit.Start, audit.Record{Seq: 1, At: time.UnixMicro(1), Actor: actor, Action: action, Why: why, Data: data})
		if err != nil {
			return
		}
		if _, err := verify([]audit.Record{r}); err != nil {
			t.Error(err)
		}
		again, err := audit.Seal(audit.Start, r)
		if err != nil || again.Hash != r.Hash {
			t.Errorf("sealed again: got %s, %v; want %s", again.Hash, err, r.Hash)
		}
	})
}
