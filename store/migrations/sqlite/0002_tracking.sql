-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times of tracking are milliseconds since 1970, as clients give them.
CREATE TABLE experiments (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	name     TEXT NOT NULL UNIQUE,
	location TEXT NOT NULL,
	deleted  INTEGER NOT NULL DEFAULT 0,
	created  INTEGER NOT NULL,
	updated  INTEGER NOT NULL
) STRICT;
INSERT INTO experiments (id, name, location, created, updated)
	VALUES (0, 'Default', 'mlflow-artifacts:/0', CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER));

CREATE TABLE experiment_tags (
	experiment INTEGER NOT NULL,
	name       TEXT NOT NULL,
	value      TEXT NOT NULL,
	PRIMARY KEY (experiment, name)
) STRICT;

-- Names of metrics, params and tags, each kept once.
CREATE TABLE keys (
	id   INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE
) STRICT;

-- seq is the run's number inside this database; run_id is its name outside.
CREATE TABLE runs (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id     TEXT NOT NULL UNIQUE,
	experiment INTEGER NOT NULL,
	name       TEXT NOT NULL,
	user_id    TEXT NOT NULL,
	status     INTEGER NOT NULL,
	started    INTEGER NOT NULL,
	ended      INTEGER,
	location   TEXT NOT NULL,
	deleted    INTEGER NOT NULL DEFAULT 0, -- 1: by itself; 2: with its experiment
	deleted_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_start ON runs (experiment, started DESC, run_id);
CREATE INDEX runs_by_end ON runs (experiment, ended);
CREATE INDEX runs_by_name ON runs (experiment, substr(name, 1, 64)); -- what an index can hold
CREATE INDEX runs_by_status ON runs (experiment, status);
CREATE INDEX runs_deleted ON runs (experiment) WHERE deleted <> 0;

-- Every point of every metric, in the order in which a history is read.
CREATE TABLE metrics (
	run   INTEGER NOT NULL,
	key   INTEGER NOT NULL,
	at    INTEGER NOT NULL,
	step  INTEGER NOT NULL,
	nan   INTEGER NOT NULL, -- 1: not a number, and value is 0
	value REAL NOT NULL,
	PRIMARY KEY (run, key, at, step, nan, value)
) STRICT, WITHOUT ROWID;

-- The latest point of each key: the greatest step, time and value.
CREATE TABLE latest_metrics (
	run        INTEGER NOT NULL,
	key        INTEGER NOT NULL,
	experiment INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	step       INTEGER NOT NULL,
	nan        INTEGER NOT NULL,
	value      REAL NOT NULL,
	PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment, key, nan, value, run);

-- head is the first 64 characters of value: what an index can hold.
CREATE TABLE params (
	run        INTEGER NOT NULL,
	key        INTEGER NOT NULL,
	experiment INTEGER NOT NULL,
	head       TEXT NOT NULL,
	value      TEXT NOT NULL,
	PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX params_by_value ON params (experiment, key, head, run);

CREATE TABLE tags (
	run        INTEGER NOT NULL,
	key        INTEGER NOT NULL,
	experiment INTEGER NOT NULL,
	head       TEXT NOT NULL,
	value      TEXT NOT NULL,
	PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_value ON tags (experiment, key, head, run);

CREATE TABLE datasets (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	experiment  INTEGER NOT NULL,
	name        TEXT NOT NULL,
	digest      TEXT NOT NULL,
	source_type TEXT NOT NULL,
	source      TEXT NOT NULL,
	schema_json TEXT NOT NULL,
	profile     TEXT NOT NULL,
	UNIQUE (experiment, name, digest)
) STRICT;

CREATE TABLE inputs (
	run     INTEGER NOT NULL,
	dataset INTEGER NOT NULL,
	context TEXT NOT NULL, -- the tag mlflow.data.context
	tags    TEXT NOT NULL, -- JSON
	seq     INTEGER NOT NULL,  -- order within the run
	PRIMARY KEY (run, dataset)
) STRICT, WITHOUT ROWID;
CREATE INDEX inputs_by_dataset ON inputs (dataset, context);

-- Logged models that a run read (output 0) or made (output 1).
CREATE TABLE run_models (
	run    INTEGER NOT NULL,
	output INTEGER NOT NULL,
	model  TEXT NOT NULL,
	step   INTEGER NOT NULL,
	PRIMARY KEY (run, output, model, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE logged_models (
	seq            INTEGER PRIMARY KEY AUTOINCREMENT,
	model_id       TEXT NOT NULL UNIQUE,
	experiment     INTEGER NOT NULL,
	name           TEXT NOT NULL,
	type           TEXT NOT NULL,
	source_run     TEXT NOT NULL,
	status         INTEGER NOT NULL,
	status_message TEXT NOT NULL,
	location       TEXT NOT NULL,
	created        INTEGER NOT NULL,
	updated        INTEGER NOT NULL,
	deleted        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX logged_models_by_time ON logged_models (experiment, created DESC, model_id);
CREATE INDEX logged_models_by_name ON logged_models (experiment, name);

CREATE TABLE logged_model_params (
	model INTEGER NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (model, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE logged_model_tags (
	model INTEGER NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (model, name)
) STRICT, WITHOUT ROWID;

-- Points of metrics that belong to a logged model (by model_id) and to a run.
CREATE TABLE logged_model_metrics (
	model          TEXT NOT NULL,
	key            INTEGER NOT NULL,
	at             INTEGER NOT NULL,
	step           INTEGER NOT NULL,
	run            TEXT NOT NULL,
	nan            INTEGER NOT NULL,
	value          REAL NOT NULL,
	dataset_name   TEXT NOT NULL,
	dataset_digest TEXT NOT NULL,
	PRIMARY KEY (model, key, at, step, run, nan, value, dataset_name, dataset_digest)
) STRICT, WITHOUT ROWID;

-- Files by their path below mlflow-artifacts:/, and the folders they lie in.
CREATE TABLE artifacts (
	dir    TEXT NOT NULL, -- without slashes at its ends; empty: the root
	name   TEXT NOT NULL, -- the last segment
	folder INTEGER NOT NULL,  -- 1: a folder, and digest and size say nothing
	digest TEXT NOT NULL,
	size   INTEGER NOT NULL,
	owner  TEXT NOT NULL, -- the run or logged model whose quota it takes; empty: nobody's
	at     INTEGER NOT NULL,
	PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifacts_by_owner ON artifacts (owner, size);

-- What a registry says of models and versions besides how Flyball made them.
-- Times in models and versions are microseconds.
ALTER TABLE models ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
UPDATE models SET created_at = applied_at, updated_at = applied_at;

CREATE TABLE model_tags (
	model TEXT NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (model, name)
) STRICT;

ALTER TABLE versions ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN location TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN run_id TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN model_id TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN run_link TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN stage TEXT NOT NULL DEFAULT 'None';
ALTER TABLE versions ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
UPDATE versions SET updated_at = created_at;
CREATE INDEX versions_by_stage ON versions (model, stage, version);
CREATE INDEX versions_by_run ON versions (run_id) WHERE run_id <> '';

CREATE TABLE version_tags (
	model   TEXT NOT NULL,
	version INTEGER NOT NULL,
	name    TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (model, version, name)
) STRICT;

-- Every move of every alias; rows are only added.
CREATE TABLE alias_history (
	seq          INTEGER PRIMARY KEY AUTOINCREMENT,
	model        TEXT NOT NULL,
	alias        TEXT NOT NULL,
	at           INTEGER NOT NULL,
	actor        TEXT NOT NULL,
	from_version INTEGER NOT NULL, -- 0: pointed nowhere
	to_version   INTEGER NOT NULL  -- 0: points nowhere
) STRICT;
CREATE INDEX alias_history_by_model ON alias_history (model, seq);
