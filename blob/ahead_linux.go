// SPDX-License-Identifier: Apache-2.0

package blob

import (
	"os"
	"syscall"
)

// ahead has the system begin to write a part of a file to the disk, so that bringing
// the whole file there at its end does not take long. It promises nothing, and where
// it does not work the end only takes longer.
func ahead(f *os.File, at, n int64) {
	const begin = 2 // SYNC_FILE_RANGE_WRITE, sync_file_range(2)
	_ = syscall.SyncFileRange(int(f.Fd()), at, n, begin)
}
