// SPDX-License-Identifier: Apache-2.0

// Package stat is the statistics that Flyball decides with: distances, tests,
// intervals and sequential tests; and Exp, with what scores are made of it, in the
// same bits everywhere. It is pure, and checked against reference values. It knows
// no rows, models or policies; packages evaluation and monitoring do.
package stat
