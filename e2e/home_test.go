// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"flyball/blob/blobtest"
	"flyball/store/pgtest"
)

// home is where servers keep all they have.
type home struct {
	dir      string // the data folder
	database string
	blobs    string // folder of the blobs
}

// everywhere runs a test with all in a data folder, and with the database in PostgreSQL
// and everything else in S3. The servers that are started after open keep all in the
// home that it gave last.
func everywhere(t *testing.T, test func(t *testing.T, open func() home)) {
	t.Run("in a folder", func(t *testing.T) {
		test(t, func() home {
			dir := t.TempDir()
			return home{dir, filepath.Join(dir, "flyball.db"), filepath.Join(dir, "blobs")}
		})
	})
	t.Run("in PostgreSQL and S3", func(t *testing.T) {
		pg := pgtest.Server{Safe: true}
		t.Cleanup(func() { _ = pg.Stop() }) // it is thrown away
		lake := blobtest.S3(t, versitygw)
		opened := 0
		test(t, func() home {
			opened++
			prefix := fmt.Sprint("kept", opened)
			p := home{t.TempDir(), pg.DSN(t), filepath.Join(lake, prefix, "blobs")}
			t.Setenv("FLYBALL_DATABASE", p.database)
			t.Setenv("FLYBALL_BUCKET", "s3://lake/"+prefix)
			return p
		})
	})
}

// versitygw is the program that is S3 in tests.
const versitygw = "../.cache/bin/versitygw"
