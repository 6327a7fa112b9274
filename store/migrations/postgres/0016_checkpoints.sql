-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- The newest checkpoint of what lies in the bucket: its key there, by what it is of.
CREATE TABLE checkpoints (
	name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	key    TEXT COLLATE "C" NOT NULL,
	set_at BIGINT NOT NULL
);
