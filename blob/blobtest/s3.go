// SPDX-License-Identifier: Apache-2.0

package blobtest

import (
	"os"
	"path/filepath"
	"testing"
)

// S3 starts an S3 server with the bucket lake, whose objects are the files of the folder
// that it returns, and has the environment name it until the test ends. program is
// versitygw; where scripts/setup.sh could not build it the test is skipped.
func S3(t *testing.T, program string) (lake string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skip("no S3 server here: scripts/setup.sh builds versitygw")
	}
	root := t.TempDir()
	lake = filepath.Join(root, "lake")
	if err := os.Mkdir(lake, 0o700); err != nil {
		t.Fatal(err)
	}
	at := free(t)
	serve(t, at, program, "--port", at, "--access", "tester", "--secret", "of-a-test", "posix", root)
	setenv(t, map[string]string{
		"AWS_ENDPOINT_URL_S3": "http://" + at, "AWS_ENDPOINT_URL": "", "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "of-a-test", "AWS_EC2_METADATA_DISABLED": "true",
	})
	return lake
}
