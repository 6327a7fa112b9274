// SPDX-License-Identifier: Apache-2.0

// Package dataset makes immutable snapshots of data: schema, profile, label
// watermark; it says which rows are mature, splits them by time and checks them. It
// transforms nothing (package pipeline).
package dataset
