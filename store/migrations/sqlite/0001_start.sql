-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Counters that must rise in the order of commits, and the end of the audit chain.
CREATE TABLE heads (
	name TEXT NOT NULL PRIMARY KEY,
	seq  INTEGER NOT NULL,
	hash TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO heads (name, seq, hash) VALUES
	('audit', 0, '0000000000000000000000000000000000000000000000000000000000000000'),
	('event', 0, ''),
	('fence', 0, '');

-- Times are microseconds since 1970 in UTC; JSON is text.
CREATE TABLE models (
	name       TEXT NOT NULL PRIMARY KEY,
	generation INTEGER NOT NULL,
	file       TEXT NOT NULL,
	pipeline   TEXT NOT NULL,
	data       TEXT NOT NULL,
	applied_at INTEGER NOT NULL,
	applied_by TEXT NOT NULL
) STRICT;

CREATE TABLE versions (
	model      TEXT NOT NULL,
	version    INTEGER NOT NULL,
	bundle     TEXT NOT NULL,
	judged     TEXT NOT NULL,
	snapshot   TEXT NOT NULL,
	record     TEXT NOT NULL,
	seen_until INTEGER,
	verdict    TEXT NOT NULL,
	report     TEXT NOT NULL,
	cause      TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	job_key    TEXT NOT NULL,
	PRIMARY KEY (model, version)
) STRICT;
CREATE UNIQUE INDEX versions_by_key ON versions (model, job_key) WHERE job_key <> '';

CREATE TABLE aliases (
	model   TEXT NOT NULL,
	alias   TEXT NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (model, alias)
) STRICT;

-- The newest state of a model's newest release: the row that is compared and set.
CREATE TABLE releases (
	model      TEXT NOT NULL PRIMARY KEY,
	generation INTEGER NOT NULL
) STRICT;

-- Every state that a release ever had; rows are only added.
CREATE TABLE release_history (
	model      TEXT NOT NULL,
	generation INTEGER NOT NULL,
	id         TEXT NOT NULL,
	phase      TEXT NOT NULL,
	body       TEXT NOT NULL,
	PRIMARY KEY (model, generation)
) STRICT;
CREATE INDEX release_history_by_id ON release_history (model, id, generation);

CREATE TABLE loop_state (
	model      TEXT NOT NULL PRIMARY KEY,
	generation INTEGER NOT NULL,
	body       TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE monitor_state (
	model TEXT NOT NULL PRIMARY KEY,
	body  TEXT NOT NULL
) STRICT;

CREATE TABLE windows (
	model    TEXT NOT NULL,
	version  INTEGER NOT NULL,
	begin_at INTEGER NOT NULL,
	body     TEXT NOT NULL,
	PRIMARY KEY (model, version, begin_at)
) STRICT;
CREATE INDEX windows_by_time ON windows (model, begin_at);

CREATE TABLE findings (
	id        TEXT NOT NULL PRIMARY KEY,
	model     TEXT NOT NULL,
	opened_at INTEGER NOT NULL,
	closed_at INTEGER,
	body      TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_time ON findings (model, opened_at);

CREATE TABLE jobs (
	seq         INTEGER PRIMARY KEY AUTOINCREMENT,
	id          TEXT NOT NULL UNIQUE,
	kind        TEXT NOT NULL,
	job_key     TEXT NOT NULL,
	model       TEXT NOT NULL,
	input       TEXT NOT NULL,
	state       TEXT NOT NULL,
	attempt     INTEGER NOT NULL DEFAULT 0,
	fence       INTEGER NOT NULL DEFAULT 0,
	worker      TEXT NOT NULL DEFAULT '',
	lease_until INTEGER NOT NULL DEFAULT 0, -- by the database's clock
	result      TEXT NOT NULL DEFAULT '',
	error       TEXT NOT NULL DEFAULT '',
	progress    TEXT NOT NULL DEFAULT '',
	added_at    INTEGER NOT NULL,
	ended_at    INTEGER,
	UNIQUE (kind, job_key)
) STRICT;
CREATE INDEX jobs_open ON jobs (seq) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_model ON jobs (model, seq);

CREATE TABLE events (
	seq     INTEGER NOT NULL PRIMARY KEY,
	at      INTEGER NOT NULL,
	model   TEXT NOT NULL,
	actor   TEXT NOT NULL,
	mark    TEXT NOT NULL,
	kind    TEXT NOT NULL,
	line    TEXT NOT NULL,
	command TEXT NOT NULL,
	data    TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_model ON events (model, seq);

CREATE TABLE audit (
	seq    INTEGER NOT NULL PRIMARY KEY,
	at     INTEGER NOT NULL,
	actor  TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	why    TEXT NOT NULL,
	data   TEXT NOT NULL,
	prev   TEXT NOT NULL,
	hash   TEXT NOT NULL
) STRICT;
