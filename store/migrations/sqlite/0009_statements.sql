-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What people and programs say of work that is done elsewhere. body is an attestation or
-- a report as JSON.
CREATE TABLE statements (
	id       TEXT NOT NULL PRIMARY KEY,
	kind     TEXT NOT NULL, -- attestation or report
	model    TEXT NOT NULL, -- empty: all models
	at       INTEGER NOT NULL,
	until_at INTEGER, -- NULL: it does not end
	body     TEXT NOT NULL
) STRICT;
CREATE INDEX statements_by_kind ON statements (kind, at);
CREATE INDEX audit_by_time ON audit (at);
