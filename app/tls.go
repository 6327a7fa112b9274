// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/tls"
	"net"
	"os"
	"sync"
	"time"

	"flyball/fault"
)

// certificates is TLS with the certificate of two files; nil without them. Files that
// change are read again within a minute, so that a certificate is renewed without a
// pause; one that cannot be read leaves the old one.
func certificates(cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, fault.New(fault.Invalid, "TLS needs the file of the certificate and the file of its key").Do("name both: --tls-cert and --tls-key")
	}
	r := &renewed{cert: cert, key: key}
	if err := r.read(time.Now()); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.get(time.Now()), nil },
	}, nil
}

// renewed is a certificate in two files.
type renewed struct {
	cert, key string

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // when the file of the certificate was
	looked  time.Time
}

func (r *renewed) read(now time.Time) error {
	r.looked = now
	about, err := os.Stat(r.cert)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the certificate cannot be read")
	}
	if r.pair != nil && about.ModTime().Equal(r.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s and %s are not a certificate and its key", r.cert, r.key)
	}
	r.pair, r.changed = &pair, about.ModTime()
	return nil
}

func (r *renewed) get(now time.Time) *tls.Certificate {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.looked) > time.Minute {
		_ = r.read(now) // the old one goes on to hold
	}
	return r.pair
}

// secured is l behind TLS where there is a configuration.
func secured(l net.Listener, c *tls.Config) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, c)
}
