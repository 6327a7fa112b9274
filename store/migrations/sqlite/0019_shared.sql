-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What processes of one database share and keep to themselves, such as the key that signs
-- links, in hex.
CREATE TABLE shared (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;
