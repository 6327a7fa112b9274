// SPDX-License-Identifier: Apache-2.0

package bucket_test

import (
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
	blobtest.Clouds(t, "../.cache", do)
}
