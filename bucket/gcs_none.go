// SPDX-License-Identifier: Apache-2.0

//go:build !gcs

package bucket

func gcs() opener { return nil }
