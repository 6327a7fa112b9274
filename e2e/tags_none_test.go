// SPDX-License-Identifier: Apache-2.0

//go:build !gcs || !azure

package e2e

// tags are what the binary is built with.
const tags = ""
