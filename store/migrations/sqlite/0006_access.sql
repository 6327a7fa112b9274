-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who may what. The counter 'access' in heads rises with each change of these tables.
CREATE TABLE users (
	name       TEXT NOT NULL PRIMARY KEY,
	mail       TEXT NOT NULL,
	grants     TEXT NOT NULL, -- JSON
	password   TEXT NOT NULL, -- argon2id, as a PHC string; empty: none
	disabled   INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	changed_at INTEGER
) STRICT;

-- Of a secret only its digest is kept.
CREATE TABLE tokens (
	id         TEXT NOT NULL PRIMARY KEY,
	user_name  TEXT NOT NULL,
	about      TEXT NOT NULL,
	scope      TEXT NOT NULL, -- JSON
	digest     TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires_at INTEGER NOT NULL,
	ended_at   INTEGER
) STRICT;

CREATE TABLE sessions (
	digest     TEXT NOT NULL PRIMARY KEY,
	user_name  TEXT NOT NULL,
	via        TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT;
