// SPDX-License-Identifier: Apache-2.0

package store

// Problem is problem, for tests of the sentences.
func Problem(err error) error { return problem(err, "it did not work") }

// Shorten makes the steps of searches so short that few runs show all of them.
func (db *DB) Shorten() { db.pace = pace{few: 4, first: 3, sorted: 30} }
