// SPDX-License-Identifier: Apache-2.0

// Package fuzzcheck holds a decoder under fuzzing to what it may cost: memory by the size
// of its input, and time. Only tests import it.
package fuzzcheck

import (
	"runtime"
	"testing"
	"time"
)

// times is how many bytes a decoder may allocate for each byte that it is given.
const times = 16

// slow is how long a decoder may take over an input of less than small bytes.
const (
	slow  = 2 * time.Second
	small = 4 << 10
)

// Within fails t where do, which reads an input of size bytes, allocates more than 16 bytes
// for each of them and constant more in all, garbage too; or where it takes more than two
// seconds over an input below 4 kB. A cost that does not come again is forgiven: it is of
// what is made once, or of a machine that is busy. So do may be called twice.
func Within(t testing.TB, size, constant int, do func()) {
	t.Helper()
	most := uint64(times*size + constant)
	took, spent := cost(do)
	if spent > most || size < small && took > slow {
		took, spent = cost(do)
	}
	if spent > most {
		t.Errorf("reading %d bytes allocates %d, above %d", size, spent, most)
	}
	if size < small && took > slow {
		t.Errorf("reading %d bytes takes %v", size, took)
	}
}

// cost is what do takes: time, and bytes allocated.
func cost(do func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	do()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}
