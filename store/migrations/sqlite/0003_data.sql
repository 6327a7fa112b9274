-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What a model file was applied with, besides its data: the columns of the source as
-- they were pinned, and the files of its command. JSON.
ALTER TABLE models ADD COLUMN columns TEXT NOT NULL DEFAULT 'null';
ALTER TABLE models ADD COLUMN code TEXT NOT NULL DEFAULT 'null';

-- Every pipeline file that was ever applied, by name; the same text again is the same row.
CREATE TABLE pipelines (
	name       TEXT NOT NULL,
	version    INTEGER NOT NULL, -- 1, 2, 3 …
	digest     TEXT NOT NULL, -- SHA-256 of the file
	file       TEXT NOT NULL,
	applied_at INTEGER NOT NULL,
	applied_by TEXT NOT NULL,
	PRIMARY KEY (name, version)
) STRICT;

-- Every snapshot that was made for a model: its manifest is a blob.
CREATE TABLE snapshots (
	model    TEXT NOT NULL,
	id       TEXT NOT NULL, -- digest of the manifest
	made_at  INTEGER NOT NULL, -- last, by the time of its run
	rows     INTEGER NOT NULL,
	bytes    INTEGER NOT NULL, -- of its files, those shared with others too
	cause    TEXT NOT NULL, -- of the run that made it
	PRIMARY KEY (model, id)
) STRICT;
CREATE INDEX snapshots_by_time ON snapshots (model, made_at);

-- Every time that a version was made again.
CREATE TABLE reproductions (
	id      TEXT NOT NULL PRIMARY KEY,
	model   TEXT NOT NULL,
	version INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	by_whom TEXT NOT NULL,
	grade   TEXT NOT NULL, -- R3, R2, R1 or R0
	report  TEXT NOT NULL  -- JSON
) STRICT;
CREATE INDEX reproductions_by_version ON reproductions (model, version, at);
