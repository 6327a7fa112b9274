// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"flyball/fault"
)

// server is how the API is reached.
type server struct {
	url       string // without a slash at the end
	namespace string
	token     func() (string, error) // of each call; empty: the certificate says who we are
	http      *http.Client
}

// account is where a pod finds its service account.
const account = "/var/run/secrets/kubernetes.io/serviceaccount"

// find reads how to reach the cluster: from a kubeconfig, or as a pod of it.
func find(o Options) (server, error) {
	access := access{dir: account}
	var err error
	if o.Kubeconfig != "" {
		access, err = readKubeconfig(o.Kubeconfig, o.Context)
	} else {
		err = access.inside(os.Getenv)
	}
	if err != nil {
		return server{}, err
	}
	trust, err := access.trust()
	if err != nil {
		return server{}, err
	}
	return server{
		url: strings.TrimRight(access.server, "/"), token: access.token,
		namespace: cmp.Or(o.Namespace, access.namespace, "default"),
		http: &http.Client{
			Timeout: patience,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, MaxIdleConnsPerHost: 4, IdleConnTimeout: patience,
				// HTTP/1.1: a connection that does not answer in time is closed, and not used again.
				TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // no token goes elsewhere
		},
	}, nil
}

// access is what a kubeconfig or a pod's folder says. Files are read again at each use,
// since what they hold is renewed.
type access struct {
	dir               string // that relative paths are from
	server, namespace string
	ca, cert, key     material
	bearer            material
	insecure          bool
	serverName        string
}

// material is a text or the file that holds it.
type material struct{ text, file string }

func (m material) none() bool { return m == material{} }

func (a access) read(m material, what string) (string, error) {
	if m.file == "" {
		return m.text, nil
	}
	path := m.file
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.dir, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "%s of Kubernetes cannot be read", what)
	}
	return string(raw), nil
}

// token is what calls are made with.
func (a access) token() (string, error) {
	t, err := a.read(a.bearer, "the token")
	return strings.TrimSpace(t), err
}

// inside fills in what a pod knows of its cluster.
func (a *access) inside(env func(string) string) error {
	host, port := env("KUBERNETES_SERVICE_HOST"), env("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return fault.New(fault.Invalid, "this process is not in a pod of Kubernetes, and no kubeconfig is named").Do("name a kubeconfig in the settings of the executor")
	}
	a.server = "https://" + net.JoinHostPort(host, port)
	a.bearer, a.ca = material{file: "token"}, material{file: "ca.crt"}
	if _, err := a.token(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(err, fault.Invalid, "this pod has no service account's token")
		}
		return err
	}
	ns, err := a.read(material{file: "namespace"}, "the namespace")
	a.namespace = strings.TrimSpace(ns)
	return err
}

// trust is whom we believe, and who we are.
func (a access) trust() (*tls.Config, error) {
	u, err := url.Parse(a.server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.New(fault.Invalid, "the API server %q is no address of the web", a.server)
	}
	c := &tls.Config{ServerName: a.serverName, InsecureSkipVerify: a.insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // asked for by the kubeconfig
	if !a.ca.none() {
		pem, err := a.read(a.ca, "the authority's certificate")
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, fault.New(fault.Invalid, "the authority of the cluster is no certificate in PEM")
		}
	}
	if a.cert.none() {
		return c, nil
	}
	if _, err := a.pair(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return a.pair() }
	return c, nil
}

// pair is our certificate.
func (a access) pair() (*tls.Certificate, error) {
	cert, err := a.read(a.cert, "our certificate")
	if err != nil {
		return nil, err
	}
	key, err := a.read(a.key, "the key of our certificate")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	return &pair, fault.Wrap(err, fault.Invalid, "our certificate for Kubernetes and its key do not belong together")
}
