// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"flyball/governance/audit"
)

// programs are the checks in docs/formats/audit.md: of lines, and of a table.
func programs(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil || testing.Short() {
		t.Skip("no python3, or a short run")
	}
	doc, err := os.ReadFile("../../docs/formats/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile("(?s)```python\n(.*?)```").FindAllSubmatch(doc, -1) {
		name := filepath.Join(t.TempDir(), "check.py")
		if err := os.WriteFile(name, m[1], 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	if len(out) != 2 {
		t.Fatalf("%d programs in the document, want 2", len(out))
	}
	return out
}

// hard is a chain of records that are hard to write.
func hard(t *testing.T, n int) []audit.Record {
	t.Helper()
	words := []string{"plain", "é ✓ 😀", "<&>\u2028\u2029", "tab\tline\nreturn\r\nbell\a\b\f\x7f", `quote " back \ `, "", "=1+1", "\xff\x00", ", ;"}
	prev := audit.Start
	var out []audit.Record
	for i := range n {
		r := audit.Record{
			Seq: int64(i + 1), At: time.Date(2026, 3, 1, 0, 0, i, i*1000, time.UTC), Actor: words[i%len(words)], Action: "act", Object: words[(i/2)%len(words)],
			Why: words[(i/3)%len(words)],
		}
		if i%3 > 0 {
			raw, err := json.Marshal(map[string]any{"b": words[i%len(words)], "a": []any{1.5, i}})
			if err != nil {
				t.Fatal(err)
			}
			r.Data = append(raw[:len(raw)-1], `,"n":1.500,"e":2E400}`...)
		}
		r, err := audit.Seal(prev, r)
		if err != nil {
			t.Fatal(err)
		}
		prev = r.Hash
		out = append(out, r)
	}
	return out
}

func lines(t *testing.T, rs []audit.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, r := range rs {
		line, err := audit.Line(r)
		if err != nil {
			t.Fatal(err)
		}
		var again audit.Record
		if err := json.Unmarshal(line, &again); err != nil || again.Hash != r.Hash || again.Why != r.Why {
			t.Fatalf("%s: got %+v, %v", line, again, err)
		}
		fmt.Fprintf(&b, "%s\n", line)
	}
	return b.Bytes()
}

func check(t *testing.T, program string, file []byte) (string, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "python3", program, name).CombinedOutput()
	return string(out), err
}

func TestAnExportIsVerifiedByTheProgramOfTheDocument(t *testing.T) {
	programs := programs(t)
	rs := hard(t, 60)
	end := fmt.Sprintf("60 %s\n", rs[59].Hash)
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	_ = w.Write([]string{"seq", "at", "actor", "action", "object", "why", "data", "prev", "hash"})
	for _, r := range rs {
		_ = w.Write([]string{fmt.Sprint(r.Seq), r.At.Format(time.RFC3339Nano), r.Actor, r.Action, r.Object, r.Why, string(r.Data), r.Prev, r.Hash})
	}
	w.Flush()
	for _, c := range []struct {
		name, program string
		file          []byte
	}{
		{"lines", programs[0], lines(t, rs)}, {"the later lines", programs[0], lines(t, rs[20:])}, {"a table", programs[1], table.Bytes()},
	} {
		if got, err := check(t, c.program, c.file); err != nil || got != end {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, end)
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	whole := lines(t, rs)
	for range 5 {
		b := bytes.Clone(whole)
		b[rng.IntN(len(b))] ^= 1
		if got, err := check(t, programs[0], b); err == nil && got == end {
			t.Error("a flipped bit is not found")
		}
	}
}
