// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func made(t *testing.T) (archive, digest string) {
	t.Helper()
	dir := t.TempDir()
	s := source{version: "v1", revision: "abc", at: time.Unix(1e9, 0).UTC(), binaries: map[string]string{}}
	for _, arch := range []string{"amd64", "arm64"} {
		s.binaries[arch] = filepath.Join(dir, arch)
		if err := os.WriteFile(s.binaries[arch], []byte("the binary of "+arch), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "image.tar")
	d, err := build(out, s)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), d.String()
}

func TestTheSameBinariesGiveTheSameImage(t *testing.T) {
	a, first := made(t)
	b, second := made(t)
	if first != second || a != b {
		t.Errorf("got %s and %s", first, second)
	}
}

func TestTheImageIsNobodysAndHoldsNothingElse(t *testing.T) {
	s := source{version: "v1", at: time.Unix(1e9, 0).UTC(), binaries: map[string]string{"amd64": filepath.Join(t.TempDir(), "b")}}
	if err := os.WriteFile(s.binaries["amd64"], []byte("binary"), 0o755); err != nil {
		t.Fatal(err)
	}
	image, err := s.image("amd64")
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !config.Created.Equal(s.at) || config.Architecture != "amd64" {
		t.Errorf("got %+v", config)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range layers {
		in, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(in); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, h.Name)
			if !h.ModTime.Equal(s.at) {
				t.Errorf("%s is of %s", h.Name, h.ModTime)
			}
			if h.Name == "etc/ssl/certs/ca-certificates.crt" {
				raw, err := io.ReadAll(r)
				if err != nil || !x509.NewCertPool().AppendCertsFromPEM(raw) || bytes.Count(raw, []byte("BEGIN CERTIFICATE")) < 80 {
					t.Errorf("the certificates are none: %d bytes, %v", len(raw), err)
				}
				if block, _ := pem.Decode(raw); block == nil {
					t.Error("the certificates are not PEM")
				}
			}
		}
	}
	want := "etc/ etc/passwd etc/group etc/ssl/ etc/ssl/certs/ etc/ssl/certs/ca-certificates.crt tmp/ var/ var/lib/ var/lib/flyball/ usr/ usr/local/ usr/local/bin/ usr/local/bin/flyball"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
