// SPDX-License-Identifier: Apache-2.0

// Package python holds the SDK for Python, so that one who has the binary has it too. It
// does not run it.
package python

import "embed"

// Files are the SDK's modules, under flyball/.
//
//go:embed flyball/*.py flyball/py.typed
var Files embed.FS
