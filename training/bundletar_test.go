// SPDX-License-Identifier: Apache-2.0

package training

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// archived is a trained version as an archive.
func archived(t testing.TB, data bool) (registry.Version, []byte, blob.Store) {
	t.Helper()
	raw := table(t, 1000)
	blobs := blob.Memory()
	f, err := SourceBytes(context.Background(), blobs, raw)
	if err != nil {
		t.Fatal(err)
	}
	tr := fresh(blobs)
	r := Request{Recipe: recipe(), Files: map[string]registry.DataFile{"a.csv": f}, Now: start.Add(1100 * time.Hour), Cause: "first", By: "ana", Key: "m/1"}
	res, err := tr.Run(context.Background(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := registry.Version{Ref: ident.Ref{Model: "m", Version: 1}, Bundle: res.Bundle, Judged: res.Judged, Snapshot: res.Snapshot, Record: res.Record}
	var out bytes.Buffer
	if err := WriteTar(context.Background(), &out, blobs, v, data); err != nil {
		t.Fatal(err)
	}
	return v, out.Bytes(), blobs
}

func TestAVersionIsMadeAgainFromItsArchiveInAnEmptyFolder(t *testing.T) {
	v, raw, blobs := archived(t, true)
	var again bytes.Buffer
	if err := WriteTar(t.Context(), &again, blobs, v, true); err != nil || !bytes.Equal(again.Bytes(), raw) {
		t.Errorf("exported again: other bytes, %v", err)
	}
	empty := blob.Memory()
	got, err := ReadTar(t.Context(), bytes.NewReader(raw), empty)
	if err != nil || got.Ref != v.Ref || got.Bundle != v.Bundle {
		t.Fatalf("got %+v, %v", got, err)
	}
	made, err := fresh(empty).Reproduce(t.Context(), got, nil)
	if err != nil || made.Grade != R3 || made.Fallen() || len(made.Outputs) < 6 {
		t.Errorf("got %+v, %v", made, err)
	}
}

func TestAnArchiveWithoutDataNamesWhatItLeftOut(t *testing.T) {
	_, raw, _ := archived(t, false)
	_, err := ReadTar(t.Context(), bytes.NewReader(raw), blob.Memory())
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "was left out of the archive") {
		t.Errorf("got %v", err)
	}
}

// repacked is the archive with its entries changed; change returns false to leave one out.
func repacked(t *testing.T, raw []byte, change func(h *tar.Header, body []byte) ([]byte, bool)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	in := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		body, keep := change(h, body)
		if !keep {
			continue
		}
		h.Size = int64(len(body))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAnArchiveThatIsNotWholeIsRefused(t *testing.T) {
	_, raw, _ := archived(t, true)
	n := 0
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"nothing", nil, "the archive is empty"},
		{"another file", []byte(strings.Repeat("no archive ", 100)), "entry 1 of the archive cannot be read"},
		{"cut in the middle", raw[:len(raw)/2], "cannot be read"},
		{"a blob changed", repacked(t, raw, func(h *tar.Header, body []byte) ([]byte, bool) {
			if n++; n == 3 {
				body = append(body, 'x')
			}
			return body, true
		}), "has the bytes of"},
		{"a blob left out", repacked(t, raw, func(h *tar.Header, body []byte) ([]byte, bool) {
			n++
			return body, n%1000 != 0 && !strings.HasPrefix(h.Name, tarBlobs+"f") && !strings.HasPrefix(h.Name, tarBlobs+"1")
		}), "the archive ends before"},
		{"a path that leads out", repacked(t, raw, func(h *tar.Header, body []byte) ([]byte, bool) {
			if h.Name != tarHead {
				h.Name = "../" + h.Name
			}
			return body, true
		}), "which version.json does not list"},
		{"no head", repacked(t, raw, func(h *tar.Header, body []byte) ([]byte, bool) { return body, h.Name != tarHead }), "this is no exported version"},
		{"another form", repacked(t, raw, func(h *tar.Header, body []byte) ([]byte, bool) {
			return bytes.Replace(body, []byte(TarFormat), []byte("flyball.version/v9"), 1), true
		}), "is not in the form"},
	} {
		_, err := ReadTar(t.Context(), bytes.NewReader(c.raw), blob.Memory())
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzReadTar(f *testing.F) {
	_, raw, _ := archived(f, true)
	f.Add(raw[:min(len(raw), 4096)])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := ReadTar(t.Context(), bytes.NewReader(raw), blob.Memory()); err == nil {
			t.Skip("whole")
		}
	})
}
