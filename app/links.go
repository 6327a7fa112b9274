// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"flyball/fault"
)

// linkKey is the file of the data folder with the key that signs links; sizeOfKey is how
// many bytes it has.
const (
	linkKey   = "links.key"
	sizeOfKey = 32
)

// openLinks reads the key that signs links, and makes it at the first start. Links of
// another data folder do not hold here.
func (a *App) openLinks() error {
	u, err := url.Parse(a.cfg.External)
	if err != nil || a.cfg.External != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return fault.New(fault.Invalid, "%q is not the address of a server", a.cfg.External).Do("say --url https://flyball.example.org")
	}
	a.external = strings.TrimRight(a.cfg.External, "/")
	path := filepath.Join(a.cfg.Data, linkKey)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw = make([]byte, sizeOfKey)
		_, _ = rand.Read(raw) // never fails
		if err = writeWhole(path, raw); err == nil {
			a.links = raw
			return nil
		}
	}
	switch {
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, "the key that signs links cannot be read")
	case len(raw) != sizeOfKey:
		return fault.New(fault.Unavailable, "%s has %d bytes and not %d", path, len(raw), sizeOfKey).Do("remove it: another is made, and links that were sent no longer hold")
	}
	a.links = raw
	return nil
}

// writeWhole writes a file that only the server's user reads, whole or not at all.
func writeWhole(path string, raw []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
