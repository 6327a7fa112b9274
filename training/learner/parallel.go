// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"sync"
	"sync/atomic"
)

// parallel calls do for 0 to n-1, by at most workers goroutines.
func parallel(workers, n int, do func(int)) {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}
