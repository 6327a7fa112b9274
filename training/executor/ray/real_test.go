// SPDX-License-Identifier: Apache-2.0

package ray_test

import (
	"testing"

	"flyball/e2e/engines"
	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/ray"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

func TestTheContractOfExecutorsOnRay(t *testing.T) {
	engines.Want(t, "ray")
	r := engines.StartRay(t)
	e, err := ray.New(ray.Options{URL: r.URL, TokenFile: r.Token, Python: r.Python})
	if err != nil {
		t.Fatal(err)
	}
	clustertest.New(t, "ray", e).Run(t)
}
