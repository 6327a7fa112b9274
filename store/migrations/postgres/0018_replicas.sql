-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who leads, and until when by the database's clock.
CREATE TABLE leases (
	name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	holder   TEXT COLLATE "C" NOT NULL,
	address  TEXT COLLATE "C" NOT NULL,
	until_at BIGINT NOT NULL
);

-- How often the lead changed hands. It is apart from the lease, so that the leader's
-- own transactions, which keep this row from changing, do not stand in the way of its
-- renewal.
CREATE TABLE fences (
	name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	fence BIGINT NOT NULL
);

-- The processes that answer predictions, as they reported last.
CREATE TABLE replicas (
	name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	process  TEXT COLLATE "C" NOT NULL,
	until_at BIGINT NOT NULL,
	seen_at  BIGINT NOT NULL,
	body     TEXT COLLATE "C" NOT NULL
);

-- What they are to serve: one row.
CREATE TABLE desired (
	name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	body    TEXT COLLATE "C" NOT NULL
);
