-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What is wrong, on its way to people. body is the alert as JSON.
CREATE TABLE alerts (
	id         TEXT NOT NULL PRIMARY KEY,
	model      TEXT NOT NULL,
	generation INTEGER NOT NULL,
	opened_at  INTEGER NOT NULL,
	closed_at  INTEGER,
	settled    INTEGER NOT NULL,
	body       TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_model ON alerts (model, opened_at);
CREATE INDEX alerts_unsettled ON alerts (id) WHERE settled = 0;

CREATE TABLE silences (
	model    TEXT NOT NULL PRIMARY KEY,
	until_at INTEGER NOT NULL,
	body     TEXT NOT NULL
) STRICT;

-- What is to be sent, and for a month what was.
CREATE TABLE outbox (
	id         TEXT NOT NULL PRIMARY KEY,
	way        TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	next_at    INTEGER, -- of the next try; NULL: sent, or given up
	sent_at    INTEGER,
	tries      INTEGER NOT NULL,
	why        TEXT NOT NULL, -- the newest try failed; empty: it did not
	body       TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE next_at IS NOT NULL;
