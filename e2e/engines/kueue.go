// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartKueue starts Kueue on the cluster, with its own admission webhooks, and a local queue of
// the name whose cluster queue has two processors and nothing else. It skips the test where
// this machine could not build Kueue.
func (k *Kubernetes) StartKueue(t testing.TB, queue string) {
	t.Helper()
	home := filepath.Join(filepath.Dir(cached(t, "bin")), "kueue-0.19.2")
	program := filepath.Join(home, "kueue")
	if _, err := os.Stat(program); err != nil {
		t.Skip("scripts/test-engines.sh could not build Kueue")
	}
	hooks := after(local(port(t)))
	k.describe(home, hooks)

	health, certs := local(port(t)), filepath.Join(k.dir, "kueue")
	config := k.write("kueue.yaml", `apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
namespace: kueue-system
health: {healthProbeBindAddress: `+health+`}
metrics: {bindAddress: "0"}
webhook: {host: 127.0.0.1, port: `+hooks+`, certDir: `+certs+`}
leaderElection: {leaderElect: false}
internalCertManagement: {enable: true, webhookServiceName: kueue-webhook-service, webhookSecretName: kueue-webhook-server-cert}
integrations: {frameworks: [batch/job]}
featureGates: {VisibilityOnDemand: false}
`)
	start(t, filepath.Join(k.dir, "kueue.log"), "kueue", func() *exec.Cmd {
		return exec.Command(program, "--config="+config, "--kubeconfig="+filepath.Join(k.dir, "admin.yaml"))
	})
	k.mount("/api/v1/namespaces/kueue-system/secrets/kueue-webhook-server-cert", certs)
	until(t, "Kueue", func() bool {
		resp, err := http.Get("http://" + health + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})

	const kueue = "/apis/kueue.x-k8s.io/v1beta2/"
	k.made(kueue+"resourceflavors", `{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"ResourceFlavor","metadata":{"name":"any"}}`)
	k.made(kueue+"clusterqueues", `{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"ClusterQueue","metadata":{"name":"two"},"spec":{
		"namespaceSelector":{},"resourceGroups":[{"coveredResources":["cpu"],"flavors":[{"name":"any","resources":[{"name":"cpu","nominalQuota":"2"}]}]}]}}`)
	k.made(kueue+"namespaces/default/localqueues", `{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"LocalQueue","metadata":{"name":"`+queue+`"},"spec":{"clusterQueue":"two"}}`)
	until(t, "the queue", func() bool {
		return bytes.Contains(k.Do(http.MethodGet, kueue+"namespaces/default/localqueues/"+queue, ""), []byte("Can submit new workloads"))
	})
}

// describe makes Kueue's own objects, as its release describes them: the API server finds its
// webhooks by a Service that is a name of this machine.
func (k *Kubernetes) describe(home, port string) {
	k.t.Helper()
	k.made("/api/v1/namespaces", `{"metadata":{"name":"kueue-system"}}`)
	k.made("/api/v1/namespaces/kueue-system/secrets", `{"metadata":{"name":"kueue-webhook-server-cert"}}`)
	k.made("/api/v1/namespaces/kueue-system/services", `{"metadata":{"name":"kueue-webhook-service"},"spec":{"type":"ExternalName","externalName":"localhost"}}`)
	const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	files, _ := filepath.Glob(filepath.Join(home, "crd/*.yaml")) // the pattern is a good one
	for _, file := range files {
		k.made(crds, k.read(file))
	}
	for _, kind := range []string{"localqueues", "clusterqueues", "cohorts", "workloads", "multikueueclusters"} {
		k.Do(http.MethodPatch, crds+"/"+kind+".kueue.x-k8s.io", `{"spec":{"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],
			"clientConfig":{"service":{"namespace":"kueue-system","name":"kueue-webhook-service","path":"/convert","port":`+port+`}}}}}}`)
	}
	until(k.t, "Kueue's kinds", func() bool {
		return bytes.Count(k.Do(http.MethodGet, crds, ""), []byte(`"type":"Established","status":"True"`)) == len(files)
	})
	manifests := strings.NewReplacer("namespace: system", "namespace: kueue-system\n      port: "+port, "name: webhook-service", "name: kueue-webhook-service",
		"name: mutating-", "name: kueue-mutating-", "name: validating-", "name: kueue-validating-").Replace(k.read(filepath.Join(home, "webhooks.yaml")))
	for doc := range strings.SplitSeq(manifests, "\n---\n") {
		kind := "mutating"
		if strings.Contains(doc, "kind: Validating") {
			kind = "validating"
		}
		k.made("/apis/admissionregistration.k8s.io/v1/"+kind+"webhookconfigurations", doc)
	}
}

// mount writes the certificates of a Secret into a folder, as a kubelet does, once they are there.
func (k *Kubernetes) mount(secret, dir string) {
	k.t.Helper()
	var s struct{ Data map[string][]byte }
	until(k.t, "Kueue's certificates", func() bool {
		return json.Unmarshal(k.Do(http.MethodGet, secret, ""), &s) == nil && len(s.Data) > 0
	})
	if err := os.MkdirAll(dir, 0o700); err != nil {
		k.t.Fatal(err)
	}
	for name, raw := range s.Data {
		k.write(filepath.Join(filepath.Base(dir), name), string(raw))
	}
}

func (k *Kubernetes) read(path string) string {
	k.t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		k.t.Fatal(err)
	}
	return string(raw)
}

// made makes an object, which must succeed.
func (k *Kubernetes) made(path, body string) {
	k.t.Helper()
	if got := k.Do(http.MethodPost, path, body); got == nil || bytes.Contains(got, []byte(`"status":"Failure"`)) {
		k.t.Fatalf("%s: %s", path, got)
	}
}
