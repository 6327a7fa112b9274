// SPDX-License-Identifier: Apache-2.0

package blobtest

import (
	"path/filepath"
	"testing"
)

// Clouds runs a test on an empty bucket, which url names, of each provider whose server is
// below cache (.cache of this repository): S3 and, where the test was built with the tags
// gcs and azure, those of Google and Azure too.
func Clouds(t *testing.T, cache string, test func(t *testing.T, url string)) {
	t.Run("S3", func(t *testing.T) {
		S3(t, filepath.Join(cache, "bin/versitygw"))
		test(t, "s3://lake")
	})
	for _, c := range others(cache) {
		t.Run(c.name, func(t *testing.T) {
			c.start(t)
			test(t, c.url)
		})
	}
}

// cloud is a provider's server, which has the environment name it until the test ends.
type cloud struct {
	name, url string
	start     func(t *testing.T)
}
