// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
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
// another data folder do not hold here, but for processes that decide together: they have
// the key of the one that led first.
func (a *App) openLinks(ctx context.Context) error {
	u, err := url.Parse(a.cfg.External)
	if err != nil || a.cfg.External != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return fault.New(fault.Invalid, "%q is not the address of a server", a.cfg.External).Do("say --url https://flyball.example.org")
	}
	a.external = strings.TrimRight(a.cfg.External, "/")
	path := filepath.Join(a.cfg.Data, linkKey)
	own, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, "the key that signs links cannot be read")
	case len(own) != sizeOfKey:
		return fault.New(fault.Unavailable, "%s has %d bytes and not %d", path, len(own), sizeOfKey).Do("remove it: another is made, and links that were sent no longer hold")
	}
	a.links = own
	if own == nil {
		a.links = make([]byte, sizeOfKey)
		_, _ = rand.Read(a.links) // never fails
	}
	if a.cfg.term != nil {
		if a.links, err = a.store.Share(ctx, linkKey, a.links); err != nil {
			return err
		}
	}
	if bytes.Equal(own, a.links) {
		return nil
	}
	return fault.Wrap(writeWhole(path, a.links), fault.Unavailable, "the key that signs links cannot be written")
}

// writeWhole writes a file that only the server's user reads, whole or not at all.
func writeWhole(path string, raw []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
