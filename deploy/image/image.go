// SPDX-License-Identifier: Apache-2.0

// Command image writes the container image of Flyball from scratch: the static binary, the
// certificates of authorities, a user that is nobody, and nothing else. It needs no daemon
// and no root. The same binaries give the same bytes: times are fixed, and the certificates
// come from a module of a fixed version. It pushes nothing.
package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is nobody, as images without a shell call it.
const user = 65532

func main() {
	version := flag.String("version", "devel", "of the binaries")
	revision := flag.String("revision", "", "the commit that they were built from")
	seconds := flag.Int64("time", 0, "of the commit, in seconds since 1970")
	out := flag.String("out", "bin/flyball.oci.tar", "the archive to write, as the OCI lays images out")
	flag.Parse()
	binaries := map[string]string{}
	for _, arg := range flag.Args() { // amd64=bin/flyball-amd64
		arch, path, _ := strings.Cut(arg, "=")
		binaries[arch] = path
	}
	digest, err := build(*out, source{version: *version, revision: *revision, at: time.Unix(*seconds, 0).UTC(), binaries: binaries})
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

// source is what an image is made of.
type source struct {
	version, revision string
	at                time.Time
	binaries          map[string]string // by architecture: the file
}

// build writes the archive and returns the digest of the index of all architectures.
func build(out string, s source) (v1.Hash, error) {
	if len(s.binaries) == 0 {
		return v1.Hash{}, fmt.Errorf("name the binaries: amd64=FILE arm64=FILE")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range slices.Sorted(keys(s.binaries)) {
		image, err := s.image(arch)
		if err != nil {
			return v1.Hash{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	digest, err := index.Digest()
	if err != nil {
		return digest, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), ".image-")
	if err != nil {
		return digest, err
	}
	defer os.RemoveAll(dir)
	top, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = top.AppendIndex(index, layout.WithAnnotations(map[string]string{
			"org.opencontainers.image.ref.name": s.version, "io.containerd.image.name": "flyball:" + s.version,
		}))
	}
	if err != nil {
		return digest, err
	}
	return digest, pack(dir, out, s.at)
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// image is the image of one architecture.
func (s source) image(arch string) (v1.Image, error) {
	binary, err := os.ReadFile(s.binaries[arch])
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	for _, files := range [][]file{base(), {{name: "usr/local/bin/flyball", mode: 0o755, body: binary}}} {
		raw, err := s.layer(files)
		if err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil },
			tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(6))
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: s.at}, CreatedBy: "deploy/image"},
		}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: s.at}
	config.Config = v1.Config{
		User: fmt.Sprintf("%d:%d", user, user), Entrypoint: []string{"/usr/local/bin/flyball"}, Cmd: []string{"serve"}, WorkingDir: "/var/lib/flyball",
		Env:          []string{"PATH=/usr/local/bin", "FLYBALL_DATA=/var/lib/flyball", "HOME=/var/lib/flyball"},
		ExposedPorts: map[string]struct{}{"7180/tcp": {}, "7181/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title": "Flyball", "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version": s.version, "org.opencontainers.image.revision": s.revision,
			"org.opencontainers.image.created": s.at.Format(time.RFC3339),
		},
	}
	return mutate.ConfigFile(image, config)
}

// file is a file of a layer, or a folder where its name ends in a slash.
type file struct {
	name  string
	mode  int64
	owner int
	body  []byte
}

// base is all but the binary.
func base() []file {
	var roots bytes.Buffer
	for r := range bundle.Roots() {
		if r.Constraint == nil { // what may vouch for anybody at any time
			_ = pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}) // never fails
		}
	}
	return []file{
		{name: "etc/passwd", mode: 0o644, body: fmt.Appendf(nil, "nobody:x:%d:%d::/var/lib/flyball:/nologin\n", user, user)},
		{name: "etc/group", mode: 0o644, body: fmt.Appendf(nil, "nobody:x:%d:\n", user)},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, body: roots.Bytes()},
		{name: "tmp/", mode: 0o1777},
		{name: "var/lib/flyball/", mode: 0o700, owner: user},
	}
}

// layer is files as a tar stream, with the folders that they lie in.
func (s source) layer(files []file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{}
	for _, f := range files {
		for i, c := range f.name {
			if dir := f.name[:i+1]; c == '/' && !made[dir] && dir != f.name {
				made[dir] = true
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: s.at}); err != nil {
					return nil, err
				}
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.body)), ModTime: s.at}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

// pack writes the files of a folder to an archive, in order and with one time.
func pack(dir, out string, at time.Time) (err error) {
	part := out + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(raw)), ModTime: at}); err != nil {
			return err
		}
		_, err = w.Write(raw)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(part)
		return err
	}
	return os.Rename(part, out)
}
