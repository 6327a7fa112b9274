// SPDX-License-Identifier: Apache-2.0

// Package inference is the Open Inference Protocol's messages and service in Go, made
// from inference.proto by generate.sh. It holds nothing written by hand: package oip
// gives the messages their meaning.
package inference
