// SPDX-License-Identifier: Apache-2.0

//go:build !azure

package bucket

func azure() opener { return nil }
