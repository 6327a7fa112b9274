// SPDX-License-Identifier: Apache-2.0

package blob_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flyball/blob"
	"flyball/blob/blobtest"
	"flyball/bucket"
	"flyball/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAFolderKeepsBlobs(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Store { return folder(t, t.TempDir()) })
}

func TestMemoryKeepsBlobs(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blobtest.Store { return blob.Memory() })
}

func folder(t *testing.T, dir string) *blob.Bucket {
	t.Helper()
	b, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestABlobThatChangedOnDiskIsFound(t *testing.T) {
	dir := t.TempDir()
	b := folder(t, dir)
	d, _, err := b.Put(context.Background(), strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sha256", string(d[:2]), string(d)), []byte("abd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.ReadAll(context.Background(), b, d, 10); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want that the bytes have changed", err)
	}
}

func TestABucketOfAProviderKeepsBlobs(t *testing.T) {
	do := func(t *testing.T, url string) {
		n := 0
		blobtest.Run(t, func(t *testing.T) blobtest.Store {
			n++
			b, err := bucket.Open(t.Context(), url, fmt.Sprintf("store%d", n))
			if err != nil {
				t.Fatal(err)
			}
			return blob.In(b)
		})
	}
	t.Run("a folder", func(t *testing.T) { do(t, "file://"+filepath.ToSlash(t.TempDir())) })
	blobtest.Clouds(t, "../.cache", do)
}
