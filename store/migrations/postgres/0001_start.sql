-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Counters that must rise in the order of commits, and the end of the audit chain.
CREATE TABLE heads (
	name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	seq  BIGINT NOT NULL,
	hash TEXT COLLATE "C" NOT NULL DEFAULT ''
);
INSERT INTO heads (name, seq, hash) VALUES
	('audit', 0, '0000000000000000000000000000000000000000000000000000000000000000'),
	('event', 0, ''),
	('fence', 0, '');

-- Times are microseconds since 1970 in UTC; JSON is text.
CREATE TABLE models (
	name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	generation BIGINT NOT NULL,
	file       TEXT COLLATE "C" NOT NULL,
	pipeline   TEXT COLLATE "C" NOT NULL,
	data       TEXT COLLATE "C" NOT NULL,
	applied_at BIGINT NOT NULL,
	applied_by TEXT COLLATE "C" NOT NULL
);

CREATE TABLE versions (
	model      TEXT COLLATE "C" NOT NULL,
	version    BIGINT NOT NULL,
	bundle     TEXT COLLATE "C" NOT NULL,
	judged     TEXT COLLATE "C" NOT NULL,
	snapshot   TEXT COLLATE "C" NOT NULL,
	record     TEXT COLLATE "C" NOT NULL,
	seen_until BIGINT,
	verdict    TEXT COLLATE "C" NOT NULL,
	report     TEXT COLLATE "C" NOT NULL,
	cause      TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	created_by TEXT COLLATE "C" NOT NULL,
	job_key    TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (model, version)
);
CREATE UNIQUE INDEX versions_by_key ON versions (model, job_key) WHERE job_key <> '';

CREATE TABLE aliases (
	model   TEXT COLLATE "C" NOT NULL,
	alias   TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (model, alias)
);

-- The newest state of a model's newest release: the row that is compared and set.
CREATE TABLE releases (
	model      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	generation BIGINT NOT NULL
);

-- Every state that a release ever had; rows are only added.
CREATE TABLE release_history (
	model      TEXT COLLATE "C" NOT NULL,
	generation BIGINT NOT NULL,
	id         TEXT COLLATE "C" NOT NULL,
	phase      TEXT COLLATE "C" NOT NULL,
	body       TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (model, generation)
);
CREATE INDEX release_history_by_id ON release_history (model, id, generation);

CREATE TABLE loop_state (
	model      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	generation BIGINT NOT NULL,
	body       TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE monitor_state (
	model TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	body  TEXT COLLATE "C" NOT NULL
);

CREATE TABLE windows (
	model    TEXT COLLATE "C" NOT NULL,
	version  BIGINT NOT NULL,
	begin_at BIGINT NOT NULL,
	body     TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (model, version, begin_at)
);
CREATE INDEX windows_by_time ON windows (model, begin_at);

CREATE TABLE findings (
	id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	model     TEXT COLLATE "C" NOT NULL,
	opened_at BIGINT NOT NULL,
	closed_at BIGINT,
	body      TEXT COLLATE "C" NOT NULL
);
CREATE INDEX findings_by_time ON findings (model, opened_at);

CREATE TABLE jobs (
	seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id          TEXT COLLATE "C" NOT NULL UNIQUE,
	kind        TEXT COLLATE "C" NOT NULL,
	job_key     TEXT COLLATE "C" NOT NULL,
	model       TEXT COLLATE "C" NOT NULL,
	input       TEXT COLLATE "C" NOT NULL,
	state       TEXT COLLATE "C" NOT NULL,
	attempt     BIGINT NOT NULL DEFAULT 0,
	fence       BIGINT NOT NULL DEFAULT 0,
	worker      TEXT COLLATE "C" NOT NULL DEFAULT '',
	lease_until BIGINT NOT NULL DEFAULT 0, -- by the database's clock
	result      TEXT COLLATE "C" NOT NULL DEFAULT '',
	error       TEXT COLLATE "C" NOT NULL DEFAULT '',
	progress    TEXT COLLATE "C" NOT NULL DEFAULT '',
	added_at    BIGINT NOT NULL,
	ended_at    BIGINT,
	UNIQUE (kind, job_key)
);
CREATE INDEX jobs_open ON jobs (seq) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_model ON jobs (model, seq);

CREATE TABLE events (
	seq     BIGINT NOT NULL PRIMARY KEY,
	at      BIGINT NOT NULL,
	model   TEXT COLLATE "C" NOT NULL,
	actor   TEXT COLLATE "C" NOT NULL,
	mark    TEXT COLLATE "C" NOT NULL,
	kind    TEXT COLLATE "C" NOT NULL,
	line    TEXT COLLATE "C" NOT NULL,
	command TEXT COLLATE "C" NOT NULL,
	data    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX events_by_model ON events (model, seq);

CREATE TABLE audit (
	seq    BIGINT NOT NULL PRIMARY KEY,
	at     BIGINT NOT NULL,
	actor  TEXT COLLATE "C" NOT NULL,
	action TEXT COLLATE "C" NOT NULL,
	object TEXT COLLATE "C" NOT NULL,
	why    TEXT COLLATE "C" NOT NULL,
	data   TEXT COLLATE "C" NOT NULL,
	prev   TEXT COLLATE "C" NOT NULL,
	hash   TEXT COLLATE "C" NOT NULL
);
