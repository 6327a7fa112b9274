// SPDX-License-Identifier: Apache-2.0

package bucket_test

import (
	"path/filepath"
	"testing"

	"flyball/blob/blobtest"
	"flyball/bucket"
)

func TestABucketKeepsItsPromises(t *testing.T) {
	do := func(t *testing.T, url string) {
		b, err := bucket.Open(t.Context(), url, "team/predictions")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		blobtest.Promises(t, b)
	}
	t.Run("a folder", func(t *testing.T) { do(t, "file://"+filepath.ToSlash(t.TempDir())) })
	blobtest.Clouds(t, "../.cache", do)
}
