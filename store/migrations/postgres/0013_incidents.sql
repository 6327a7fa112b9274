-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What went wrong, until somebody has said why. body is the incident as JSON.
CREATE TABLE incidents (
	id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	model     TEXT COLLATE "C" NOT NULL,
	opened_at BIGINT NOT NULL,
	closed    BIGINT NOT NULL, -- 0: it is open
	body      TEXT COLLATE "C" NOT NULL
);
CREATE INDEX incidents_by_model ON incidents (model, opened_at);
