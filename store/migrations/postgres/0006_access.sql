-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who may what. The counter 'access' in heads rises with each change of these tables.
CREATE TABLE users (
	name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	mail       TEXT COLLATE "C" NOT NULL,
	grants     TEXT COLLATE "C" NOT NULL, -- JSON
	password   TEXT COLLATE "C" NOT NULL, -- argon2id, as a PHC string; empty: none
	disabled   BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	created_by TEXT COLLATE "C" NOT NULL,
	changed_at BIGINT
);

-- Of a secret only its digest is kept.
CREATE TABLE tokens (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	user_name  TEXT COLLATE "C" NOT NULL,
	about      TEXT COLLATE "C" NOT NULL,
	scope      TEXT COLLATE "C" NOT NULL, -- JSON
	digest     TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	created_by TEXT COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	ended_at   BIGINT
);

CREATE TABLE sessions (
	digest     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	user_name  TEXT COLLATE "C" NOT NULL,
	via        TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
