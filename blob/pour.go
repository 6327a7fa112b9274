// SPDX-License-Identifier: Apache-2.0

package blob

import (
	"context"
	"errors"
	"io"
	"os"
)

// stretch is how many bytes go to the disk at once while more come.
const stretch = 16 << 20

// pour copies r to a file and to the hash at once: while one piece is written, the
// piece before it is hashed. It holds four pieces, however long r is.
func pour(ctx context.Context, file *os.File, hash io.Writer, r io.Reader) error {
	const pieces, size = 4, 256 << 10
	free, full, hashed := make(chan []byte, pieces), make(chan []byte, pieces), make(chan struct{})
	for range pieces {
		free <- make([]byte, size)
	}
	go func() {
		defer close(hashed)
		for p := range full {
			_, _ = hash.Write(p) // never fails
			free <- p[:size]
		}
	}()
	err := func() error {
		written, begun := int64(0), int64(0)
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			p := <-free
			n, err := fill(r, p)
			if n > 0 {
				full <- p[:n]
				if _, err := file.Write(p[:n]); err != nil {
					return err
				}
				if written += int64(n); written-begun >= stretch {
					ahead(file, small+begun, written-begun)
					begun = written
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}()
	close(full)
	<-hashed
	return err
}

// fill reads until p is full. Unlike io.ReadFull it tells the end of r from a body that
// broke off, whose error is io.ErrUnexpectedEOF.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}
