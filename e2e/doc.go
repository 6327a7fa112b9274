// SPDX-License-Identifier: Apache-2.0

// Package e2e tests Flyball from outside: it builds the real binary, starts it as a
// user would, drives it over REST and by its commands, and kills it. It holds no code
// of the product. FLYBALL_LONG=1 runs each test at its full size.
package e2e
