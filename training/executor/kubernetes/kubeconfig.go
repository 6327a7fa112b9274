// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"flyball/fault"
)

// largestConfig bounds a kubeconfig: those of many clusters have some 100 KB.
const largestConfig = 4 << 20

// kubeconfig is what is read of such a file; what else it may hold is passed over.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster   string `yaml:"cluster"`
			User      string `yaml:"user"`
			Namespace string `yaml:"namespace"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string `yaml:"name"`
		Cluster struct {
			Server     string `yaml:"server"`
			CA         string `yaml:"certificate-authority"`
			CAData     string `yaml:"certificate-authority-data"`
			Insecure   bool   `yaml:"insecure-skip-tls-verify"`
			ServerName string `yaml:"tls-server-name"`
			Proxy      string `yaml:"proxy-url"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string `yaml:"name"`
		User struct {
			Token     string `yaml:"token"`
			TokenFile string `yaml:"tokenFile"`
			Cert      string `yaml:"client-certificate"`
			CertData  string `yaml:"client-certificate-data"`
			Key       string `yaml:"client-key"`
			KeyData   string `yaml:"client-key-data"`
			Exec      any    `yaml:"exec"`
			Provider  any    `yaml:"auth-provider"`
			Password  string `yaml:"password"`
			As        string `yaml:"as"`
		} `yaml:"user"`
	} `yaml:"users"`
}

// readKubeconfig reads the access that a context of the file gives; empty: its current.
func readKubeconfig(path, context string) (access, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return access{}, fault.Wrap(err, fault.Invalid, "the kubeconfig cannot be read")
	}
	a, err := parse(raw, context)
	if err != nil {
		return access{}, fault.Wrap(err, fault.Invalid, "the kubeconfig %s", path)
	}
	a.dir, err = filepath.Abs(filepath.Dir(path))
	return a, fault.Wrap(err, fault.Unavailable, "the folder of the kubeconfig cannot be found")
}

// parse is readKubeconfig of a file's text. It refuses what it would have to obey and
// does not: programs that make tokens, passwords, acting as another, proxies.
func parse(raw []byte, context string) (a access, err error) {
	// The YAML library has paniced on odd input before; a file must not end the process.
	defer func() {
		if recover() != nil {
			a, err = access{}, errors.New("is not YAML that can be read")
		}
	}()
	if len(raw) > largestConfig {
		return access{}, fault.New(fault.Invalid, "has more than %d MB", largestConfig>>20)
	}
	var c kubeconfig
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return access{}, fault.Wrap(err, fault.Invalid, "is not YAML that can be read")
	}
	if context == "" {
		context = c.Current
	}
	if context == "" {
		return access{}, fault.New(fault.Invalid, "has no current-context").Do("name a context")
	}
	for _, x := range c.Contexts {
		if x.Name == context {
			a.namespace = x.Context.Namespace
			return a, errors.Join(a.cluster(c, x.Context.Cluster), a.user(c, x.Context.User))
		}
	}
	return access{}, fault.New(fault.Invalid, "has no context %q", context)
}

// cluster fills in where the API is.
func (a *access) cluster(c kubeconfig, name string) (err error) {
	for _, x := range c.Clusters {
		if x.Name != name {
			continue
		}
		if x.Cluster.Proxy != "" {
			return fault.New(fault.Invalid, "reaches the cluster %q through a proxy of its own", name).Do("set HTTPS_PROXY for Flyball instead")
		}
		a.server, a.insecure, a.serverName = x.Cluster.Server, x.Cluster.Insecure, x.Cluster.ServerName
		a.ca, err = either(x.Cluster.CAData, x.Cluster.CA, "certificate-authority-data")
		return err
	}
	return fault.New(fault.Invalid, "has no cluster %q", name)
}

// user fills in who we are.
func (a *access) user(c kubeconfig, name string) (err error) {
	for _, x := range c.Users {
		u := x.User
		switch {
		case x.Name != name:
			continue
		case u.Exec != nil || u.Provider != nil:
			return fault.New(fault.Invalid, "has a program make the token of %q, and Flyball runs none", name).Do("make a service account with a token, and name that in tokenFile")
		case u.Password != "" || u.As != "":
			return fault.New(fault.Invalid, "has a password for %q or acts as another", name).Do("use a token or a certificate")
		}
		a.bearer = material{text: u.Token, file: u.TokenFile} // the file wins, as it does for kubectl
		if a.cert, err = either(u.CertData, u.Cert, "client-certificate-data"); err != nil {
			return err
		}
		if a.key, err = either(u.KeyData, u.Key, "client-key-data"); err != nil {
			return err
		}
		if a.cert.none() != a.key.none() {
			return fault.New(fault.Invalid, "has one of a certificate and its key for %q, and not the other", name)
		}
		return nil
	}
	return fault.New(fault.Invalid, "has no user %q", name)
}

// either is what data in base64 says or, where there is none, the file.
func either(data, file, what string) (material, error) {
	if data == "" {
		return material{file: file}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	return material{text: string(raw)}, fault.Wrap(err, fault.Invalid, "has %s that is not base64", what)
}
