// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

// whole is a kubeconfig as tools write it.
const whole = `apiVersion: v1
kind: Config
preferences: {}
current-context: train
contexts:
- context: {cluster: big, user: robot, namespace: models}
  name: train
- context: {cluster: big, user: cert}
  name: admin
- {name: login, context: {cluster: big, user: login}}
- {name: old, context: {cluster: big, user: password}}
- {name: half, context: {cluster: big, user: half}}
- {name: damaged, context: {cluster: big, user: damaged}}
- {name: stranger, context: {cluster: big, user: nobody}}
- {name: elsewhere, context: {cluster: none, user: robot}}
- {name: behind, context: {cluster: proxied, user: robot}}
clusters:
- name: big
  cluster:
    server: https://10.0.0.1:6443/
    certificate-authority: ca.crt
    extensions: [{name: x, extension: {y: 1}}]
- {name: proxied, cluster: {server: "https://10.0.0.1", proxy-url: "socks5://x"}}
users:
- name: robot
  user: {tokenFile: token, token: old}
- name: cert
  user: {client-certificate-data: Y2VydA==, client-key: client.key}
- name: login
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}
- name: password
  user: {username: a, password: b}
- {name: half, user: {client-key: client.key}}
- {name: damaged, user: {client-certificate-data: "%", client-key: client.key}}
`

func TestAKubeconfigSaysWhereAndWho(t *testing.T) {
	got, err := parse([]byte(whole), "")
	want := access{server: "https://10.0.0.1:6443/", namespace: "models", ca: material{file: "ca.crt"}, bearer: material{text: "old", file: "token"}}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	got, err = parse([]byte(whole), "admin")
	want = access{server: "https://10.0.0.1:6443/", ca: material{file: "ca.crt"}, cert: material{text: "cert"}, key: material{file: "client.key"}}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestWhatAKubeconfigAsksThatWeDoNotIsRefused(t *testing.T) {
	for _, c := range []struct{ text, context, want string }{
		{whole, "login", `has a program make the token of "login", and Flyball runs none`},
		{whole, "old", `has a password for "password" or acts as another`},
		{whole, "half", `has one of a certificate and its key for "half", and not the other`},
		{whole, "damaged", "has client-certificate-data that is not base64"},
		{whole, "stranger", `has no user "nobody"`},
		{whole, "elsewhere", `has no cluster "none"`},
		{whole, "behind", `reaches the cluster "proxied" through a proxy of its own`},
		{whole, "Train", `has no context "Train"`},
		{"kind: Config", "", "has no current-context"},
		{"\tkind", "", "is not YAML that can be read"},
	} {
		_, err := parse([]byte(c.text), c.context)
		if !fault.Is(err, fault.Invalid) && err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.context, err, c.want)
		}
	}
}

func TestATokenThatIsRenewedIsUsed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
	a := access{dir: dir}
	if err := a.inside(func(string) string { return "" }); !fault.Is(err, fault.Invalid) {
		t.Errorf("outside: got %v", err)
	}
	if err := a.inside(func(k string) string { return env[k] }); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a token: got %v", err)
	}
	write("token", "one\n")
	write("namespace", "models\n")
	if err := a.inside(func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	if a.server != "https://[fd00::1]:443" || a.namespace != "models" {
		t.Errorf("got %+v", a)
	}
	for _, want := range []string{"one", "two"} {
		write("token", want)
		if got, err := a.token(); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestWhatCannotBeTrustedIsSaid(t *testing.T) {
	for _, c := range []struct {
		a    access
		want string
	}{
		{access{server: "10.0.0.1:6443"}, "is no address of the web"},
		{access{server: "https://x", ca: material{text: "none"}}, "is no certificate in PEM"},
		{access{server: "https://x", ca: material{file: "/none"}}, "the authority's certificate of Kubernetes cannot be read"},
		{access{server: "https://x", cert: material{text: "a"}, key: material{text: "b"}}, "do not belong together"},
	} {
		if _, err := c.a.trust(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func FuzzAKubeconfig(f *testing.F) {
	f.Add([]byte(whole), "train")
	f.Add([]byte(strings.ReplaceAll(whole, "\n", "\r\n")), "")
	f.Add([]byte("users: [{user: {token: "+base64.StdEncoding.EncodeToString([]byte("x"))+"}}]"), "a")
	f.Fuzz(func(t *testing.T, raw []byte, context string) {
		fuzzcheck.Within(t, len(raw), 4<<20, func() {
			a, err := parse(raw, context)
			if err == nil && a.cert.none() != a.key.none() {
				t.Errorf("got %+v", a)
			}
		})
	})
}
