// SPDX-License-Identifier: Apache-2.0

package model

import "io"

// Sized is a scorer or an estimator that knows how many bytes of memory it takes, its
// process included where it has one.
type Sized interface{ Size() int64 }

// Outputs is how many scores a row gets: 1, or one a class.
func (b *Bundle) Outputs() int { return b.scorer.Outputs() }

// Size is the memory that the bundle takes, in bytes; 0 where its scorer cannot tell.
func (b *Bundle) Size() int64 {
	switch s := b.inner().(type) {
	case Sized:
		return s.Size()
	default:
		return 0
	}
}

// Waits reports whether a score may take time that the caller does not spend itself,
// as where a process answers. Such a bundle is asked with a deadline.
func (b *Bundle) Waits() bool {
	_, ok := b.inner().(io.Closer)
	return ok
}

// inner is what scores, without the pipeline before it.
func (b *Bundle) inner() any {
	switch s := b.scorer.(type) {
	case *fitted:
		return s.estimator
	case *staged:
		return s.scorer
	}
	return b.scorer
}
