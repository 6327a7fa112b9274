// SPDX-License-Identifier: Apache-2.0

package kubernetes_test

import (
	"testing"

	"flyball/e2e/engines"
	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/kubernetes"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

func TestTheContractOfExecutorsOnKubernetes(t *testing.T) {
	engines.Want(t, "kubernetes")
	k := engines.StartKubernetes(t)
	e, err := kubernetes.New(kubernetes.Options{Kubeconfig: k.Kubeconfig, Image: "none"})
	if err != nil {
		t.Fatal(err)
	}
	clustertest.New(t, "kubernetes", e).Run(t)
}
