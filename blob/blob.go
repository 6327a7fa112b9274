// SPDX-License-Identifier: Apache-2.0

// Package blob keeps immutable bytes under the SHA-256 of what they are, in a
// folder or a bucket. It knows no names: records hold digests, and whoever holds a
// digest can read the bytes and be sure of them.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"
)

// Digest is the lower-case hex SHA-256 of some bytes.
type Digest string

// Sum is the digest of b.
func Sum(b []byte) Digest {
	s := sha256.Sum256(b)
	return Digest(hex.EncodeToString(s[:]))
}

// Store keeps blobs. All methods may be called at once.
type Store interface {
	// Put keeps the bytes of r and returns their digest and size. Bytes that are
	// kept already are not written again, and are as young as if they were. After a
	// failure nothing is kept.
	Put(ctx context.Context, r io.Reader) (Digest, int64, error)

	// Open reads a blob; the reader fails at its end when the bytes are not those
	// of the digest. An unknown digest is a NotFound fault.
	Open(ctx context.Context, d Digest) (io.ReadCloser, error)

	// Has reports whether the blob is kept.
	Has(ctx context.Context, d Digest) (bool, error)

	// Keep is Has for whoever is about to write the digest down: the blob is as young
	// as if it were put now, so that nothing deletes it meanwhile.
	Keep(ctx context.Context, d Digest) (bool, error)
}

// Info is what a store knows of a blob.
type Info struct {
	Digest   Digest
	Size     int64     // in bytes
	Modified time.Time // when it was last put or kept
}
