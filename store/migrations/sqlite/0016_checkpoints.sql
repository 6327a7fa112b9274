-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- The newest checkpoint of what lies in the bucket: its key there, by what it is of.
CREATE TABLE checkpoints (
	name   TEXT NOT NULL PRIMARY KEY,
	key    TEXT NOT NULL,
	set_at INTEGER NOT NULL
) STRICT;
