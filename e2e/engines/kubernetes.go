// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Kubernetes is a cluster with two nodes. A pod's program is the first container's
// command, run on this machine whatever the image.
type Kubernetes struct {
	Kubeconfig                        string // of an account that may do what deploy/kubernetes/role.yaml lets it
	Etcd, API, Controllers, Scheduler *Part
	Nodes                             [2]*Part // fake-0 and fake-1

	t   testing.TB
	url string
	dir string
}

// StartKubernetes starts one.
func StartKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	box, dir := cached(t, "bin/kubebox-*"), t.TempDir()
	etcd, peer, api := local(port(t)), local(port(t)), local(port(t))
	k := &Kubernetes{t: t, url: "https://" + api, dir: dir, Kubeconfig: filepath.Join(dir, "flyball.yaml")}
	k.write("tokens", "root,root,1,system:masters\nours,flyball,2\n")
	k.write("sa.key", key(t))
	admin := k.kubeconfig("admin.yaml", "root")
	k.kubeconfig("flyball.yaml", "ours")
	part := func(name string, args ...string) *Part {
		return start(t, filepath.Join(dir, name+".log"), name, func() *exec.Cmd {
			cmd := exec.Command(box, args...)
			cmd.Dir = dir
			return cmd
		})
	}
	k.Etcd = part("etcd", "etcd", "-dir", filepath.Join(dir, "etcd"), "-client", "http://"+etcd, "-peer", "http://"+peer)
	k.API = part("apiserver", "apiserver", "--etcd-servers=http://"+etcd, "--bind-address=127.0.0.1", "--secure-port="+after(api),
		"--cert-dir="+filepath.Join(dir, "api"), "--token-auth-file="+filepath.Join(dir, "tokens"), "--authorization-mode=RBAC",
		"--service-account-key-file="+filepath.Join(dir, "sa.key"), "--service-account-signing-key-file="+filepath.Join(dir, "sa.key"),
		"--service-account-issuer=https://flyball.test", "--service-cluster-ip-range=10.99.0.0/24", "--endpoint-reconciler-type=none",
		"--disable-admission-plugins=ServiceAccount")
	k.Ready()
	client := []string{"--kubeconfig=" + admin, "--leader-elect=false", "--bind-address=127.0.0.1"}
	k.Controllers = part("kcm", append([]string{
		"kcm", "--secure-port=" + after(local(port(t))), "--cert-dir=" + filepath.Join(dir, "kcm"),
		"--node-monitor-period=1s", "--node-monitor-grace-period=10s", "--terminated-pod-gc-threshold=1000",
		"--controllers=job-controller,garbage-collector-controller,namespace-controller,ttl-after-finished-controller,disruption-controller," +
			"pod-garbage-collector-controller,node-lifecycle-controller,taint-eviction-controller",
	}, client...)...)
	k.Scheduler = part("scheduler", append([]string{"scheduler", "--secure-port=" + after(local(port(t))), "--cert-dir=" + filepath.Join(dir, "scheduler")}, client...)...)
	for i := range k.Nodes {
		name := fmt.Sprintf("fake-%d", i)
		k.Nodes[i] = part(name, "fakelet", "-kubeconfig", admin, "-dir", filepath.Join(dir, name), "-nodes", name)
	}
	k.role()
	until(t, "two nodes", func() bool {
		return strings.Count(string(k.Do(http.MethodGet, "/api/v1/nodes", "")), `"reason":"Fake"`) == 2
	})
	return k
}

func after(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func key(t testing.TB) string {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
}

func (k *Kubernetes) write(name, text string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// kubeconfig writes one of an account.
func (k *Kubernetes) kubeconfig(name, token string) string {
	return k.write(name, `current-context: test
clusters: [{name: test, cluster: {server: "`+k.url+`", insecure-skip-tls-verify: true}}]
users: [{name: test, user: {token: `+token+`}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`)
}

// Ready waits until the API server answers.
func (k *Kubernetes) Ready() {
	k.t.Helper()
	until(k.t, "the API server", func() bool { return string(k.Do(http.MethodGet, "/readyz", "")) == "ok" })
}

// role lets our account do what the documentation asks for, and no more.
func (k *Kubernetes) role() {
	k.t.Helper()
	const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"
	k.made(rbac+"roles", k.read(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(cached(k.t, "bin/kubebox-*")))), "deploy/kubernetes/role.yaml")))
	k.made(rbac+"rolebindings", `{"metadata":{"name":"flyball"},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"flyball-executor"},
		"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"flyball"}]}`)
}

// Do is a call of the API as its administrator, of JSON or YAML. It gives what was
// answered, nil where nothing was.
func (k *Kubernetes) Do(method, path, body string) []byte {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.url+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer root")
	req.Header.Set("Content-Type", "application/yaml")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: patience}
	resp, err := c.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return out
}
