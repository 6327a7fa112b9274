// SPDX-License-Identifier: Apache-2.0

package artifact

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/fault"
)

func TestAPathIsTakenAsItIsOrRefused(t *testing.T) {
	run := "4/a0000000000000000000000000000006/artifacts/"
	good := []string{
		"a", run + "model/MLmodel", run + "name with space é.txt", run + "images/img+step+1+timestamp+17.png",
		run + "100%.txt", run + "50% off", run + "%", run + "%zz", run + "...", run + "..a", run + ".hidden", run + "ab:c", run + "metric: acc",
		run + "日本/語.txt", run + strings.Repeat("x", 255), strings.Repeat("a/", 99) + "a", run + "~", run + "a;b", run + "a&b=c", run + "'quoted\"",
	}
	for _, p := range good {
		if got, err := Clean(p); got != p || err != nil {
			t.Errorf("%q: got %q, %v; want it as it is", p, got, err)
		}
	}
	bad := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "a/../b", "../a", "./a", "a/./b",
		`a\b`, `..\..\x`, `a\..\b`, "a\x00b", "a\nb", "a\x7fb", "a\u0085b", "a\u2028b", "a#b", "a?b", "a\xffb",
		"C:", "C:/x", "c:x", run + "C:/x", run + `C:\x`, run + "d:x", "file:x", "FILE:///etc/passwd", run + "file:x", "http:/x", "s3://b/k", run + "s3:/k", "mlflow-artifacts:/4",
		"%2e%2e/a", "a%2fb", "a%00", "a%5Cb", "%252e", "a/%2e%2e%2f", "a%25b",
		run + strings.Repeat("x", 256), strings.Repeat("a/", 100) + "a", strings.Repeat("a/", 5000) + "a", strings.Repeat("x/"+strings.Repeat("y", 200)+"/", 30) + "z",
	}
	for _, p := range bad {
		got, err := Clean(p)
		if got != "" || !fault.Is(err, fault.Invalid) || err.Error() != "Invalid path" {
			t.Errorf("%.80q: got %q, %v; want Invalid path", p, got, err)
		}
	}
}

func TestAFolderMayEndInASlashAndTheRootHasNoName(t *testing.T) {
	for _, c := range []struct {
		path, want string
		ok         bool
	}{
		{"", "", true},
		{"/", "", true},
		{"a/b/", "a/b", true},
		{"a/b", "a/b", true},
		{"//", "", false},
		{"a//", "", false},
		{"/a", "", false},
		{"..", "", false},
		{"../", "", false},
	} {
		got, err := CleanFolder(c.path)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: got %q, %v; want %q", c.path, got, err, c.want)
		}
	}
}

func TestAPathTellsWhoseItIs(t *testing.T) {
	model := "m-b0000000000000000000000000000006"
	for _, c := range []struct{ path, id, root string }{
		{"4/a06/artifacts/d.json", "a06", "4/a06"},
		{"4/a06/artifacts", "a06", "4/a06"},
		{"4/models/" + model + "/artifacts/MLmodel", model, "4/models/" + model},
		{"team/x/a06/artifacts/artifacts/y", "a06", "team/x/a06"},
		{"4/a06", "", ""},
		{"artifacts/a", "", ""},
		{"4/not a run/artifacts/a", "", ""},
		{"flyball/hotel-cancel/7/MLmodel", "", ""},
	} {
		if got := OwnerOf(c.path); got != (Owner{c.id, c.root}) {
			t.Errorf("%s: got %+v", c.path, got)
		}
	}
}

// FuzzClean checks what holds of every path that is let through.
func FuzzClean(f *testing.F) {
	for _, p := range []string{"4/run/artifacts/a.txt", "..", "a/%2e%2e/b", `a\b`, "C:/x", "a\x00", "100%", "é/日"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		got, err := Clean(p)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || got != "" {
				t.Fatalf("got %q, %v", got, err)
			}
			return
		}
		if again, err := url.PathUnescape(got); err == nil && again != got {
			t.Fatalf("%q could be decoded again, into %q", got, again)
		}
		if got != p || got == "" || path.Clean("/"+got) != "/"+got || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\\#?\n") {
			t.Fatalf("%q was let through as %q", p, got)
		}
		if o := OwnerOf(got); o.ID != "" && !strings.HasPrefix(got+"/", o.Root+"/artifacts/") {
			t.Fatalf("%q belongs to %+v", got, o)
		}
	})
}
