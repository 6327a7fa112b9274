-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who leads, and until when by the database's clock.
CREATE TABLE leases (
	name     TEXT NOT NULL PRIMARY KEY,
	holder   TEXT NOT NULL,
	address  TEXT NOT NULL,
	until_at INTEGER NOT NULL
) STRICT;

-- How often the lead changed hands. It is apart from the lease, so that the leader's
-- own transactions, which keep this row from changing, do not stand in the way of its
-- renewal.
CREATE TABLE fences (
	name  TEXT NOT NULL PRIMARY KEY,
	fence INTEGER NOT NULL
) STRICT;

-- The processes that answer predictions, as they reported last.
CREATE TABLE replicas (
	name     TEXT NOT NULL PRIMARY KEY,
	process  TEXT NOT NULL,
	until_at INTEGER NOT NULL,
	seen_at  INTEGER NOT NULL,
	body     TEXT NOT NULL
) STRICT;

-- What they are to serve: one row.
CREATE TABLE desired (
	name    TEXT NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	body    TEXT NOT NULL
) STRICT;
