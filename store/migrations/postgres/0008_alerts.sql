-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What is wrong, on its way to people. body is the alert as JSON.
CREATE TABLE alerts (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	model      TEXT COLLATE "C" NOT NULL,
	generation BIGINT NOT NULL,
	opened_at  BIGINT NOT NULL,
	closed_at  BIGINT,
	settled    BIGINT NOT NULL,
	body       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX alerts_by_model ON alerts (model, opened_at);
CREATE INDEX alerts_unsettled ON alerts (id) WHERE settled = 0;

CREATE TABLE silences (
	model    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	until_at BIGINT NOT NULL,
	body     TEXT COLLATE "C" NOT NULL
);

-- What is to be sent, and for a month what was.
CREATE TABLE outbox (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	way        TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	next_at    BIGINT, -- of the next try; NULL: sent, or given up
	sent_at    BIGINT,
	tries      BIGINT NOT NULL,
	why        TEXT COLLATE "C" NOT NULL, -- the newest try failed; empty: it did not
	body       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE next_at IS NOT NULL;
