// SPDX-License-Identifier: Apache-2.0

package slurm_test

import (
	"testing"

	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/slurm"
	"flyball/training/executor/slurm/slurmtest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

func TestItKeepsTheContractOfExecutors(t *testing.T) {
	slurmtest.Start(t)
	clustertest.New(t, "slurm", slurm.New(slurm.Options{})).Run(t)
}
