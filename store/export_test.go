// SPDX-License-Identifier: Apache-2.0

package store

// Problem is problem, for tests of the sentences.
func Problem(err error) error { return problem(err, "it did not work") }
