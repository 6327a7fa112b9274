-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What went wrong, until somebody has said why. body is the incident as JSON.
CREATE TABLE incidents (
	id        TEXT NOT NULL PRIMARY KEY,
	model     TEXT NOT NULL,
	opened_at INTEGER NOT NULL,
	closed    INTEGER NOT NULL, -- 0: it is open
	body      TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_by_model ON incidents (model, opened_at);
