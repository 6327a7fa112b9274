-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What a model file was applied with, besides its data: the columns of the source as
-- they were pinned, and the files of its command. JSON.
ALTER TABLE models ADD COLUMN columns TEXT COLLATE "C" NOT NULL DEFAULT 'null';
ALTER TABLE models ADD COLUMN code TEXT COLLATE "C" NOT NULL DEFAULT 'null';

-- Every pipeline file that was ever applied, by name; the same text again is the same row.
CREATE TABLE pipelines (
	name       TEXT COLLATE "C" NOT NULL,
	version    BIGINT NOT NULL, -- 1, 2, 3 …
	digest     TEXT COLLATE "C" NOT NULL, -- SHA-256 of the file
	file       TEXT COLLATE "C" NOT NULL,
	applied_at BIGINT NOT NULL,
	applied_by TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (name, version)
);

-- Every snapshot that was made for a model: its manifest is a blob.
CREATE TABLE snapshots (
	model    TEXT COLLATE "C" NOT NULL,
	id       TEXT COLLATE "C" NOT NULL, -- digest of the manifest
	made_at  BIGINT NOT NULL, -- last, by the time of its run
	rows     BIGINT NOT NULL,
	bytes    BIGINT NOT NULL, -- of its files, those shared with others too
	cause    TEXT COLLATE "C" NOT NULL, -- of the run that made it
	PRIMARY KEY (model, id)
);
CREATE INDEX snapshots_by_time ON snapshots (model, made_at);

-- Every time that a version was made again.
CREATE TABLE reproductions (
	id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	model   TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	by_whom TEXT COLLATE "C" NOT NULL,
	grade   TEXT COLLATE "C" NOT NULL, -- R3, R2, R1 or R0
	report  TEXT COLLATE "C" NOT NULL  -- JSON
);
CREATE INDEX reproductions_by_version ON reproductions (model, version, at);
