// SPDX-License-Identifier: Apache-2.0

package bucket_test

import (
	"path/filepath"
	"strings"
	"testing"

	"flyball/bucket"
	"flyball/fault"
)

func TestABucketIsNamedByItsURLAndNothingElse(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for where, says := range map[string]string{
		"file://" + filepath.ToSlash(t.TempDir()) + "/new/one": "",
		"s3://lake":                   "",
		"s3://lake/team/flyball":      "",
		"lake":                        "names no bucket",
		"":                            "names no bucket",
		"s3://":                       "names no bucket",
		"s3://key:secret@lake":        "more than its name",
		"s3://lake?endpoint=http://x": "more than its name",
		"file://host/folder":          "a folder is written",
		"ftp://lake":                  "is no bucket",
		"s3://%zz":                    "no URL",
	} {
		b, err := bucket.Open(t.Context(), where, "blobs")
		if says == "" && err != nil || says != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: got %v, want %q", where, err, says)
		}
		if err == nil {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
