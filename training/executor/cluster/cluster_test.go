// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"testing"

	"flyball/training/executor/cluster/clustertest"
)

func TestItKeepsTheContractOfExecutors(t *testing.T) {
	clustertest.New(t, "machine", newMachine(t)).Run(t)
}
