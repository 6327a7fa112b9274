-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What people and programs say of work that is done elsewhere. body is an attestation or
-- a report as JSON.
CREATE TABLE statements (
	id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	kind     TEXT COLLATE "C" NOT NULL, -- attestation or report
	model    TEXT COLLATE "C" NOT NULL, -- empty: all models
	at       BIGINT NOT NULL,
	until_at BIGINT, -- NULL: it does not end
	body     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX statements_by_kind ON statements (kind, at);
CREATE INDEX audit_by_time ON audit (at);
