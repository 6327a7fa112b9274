-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What is overwritten or says nothing of when it came, as it was from a moment on: bodies
-- of models, of the loop, of findings, alerts, silences, approvals and snapshots, and that
-- a version came (body: empty) and was judged (body: judged). Rows are only added. at is by
-- the clock of whoever wrote it. The counter 'past' in heads is the moment from which it is
-- complete: what was there before is kept as it was then.
CREATE TABLE past (
	seq   INTEGER PRIMARY KEY AUTOINCREMENT,
	kind  TEXT NOT NULL,
	model TEXT NOT NULL, -- empty: of no one model
	id    TEXT NOT NULL, -- among those of its kind and model
	at    INTEGER NOT NULL,
	body  TEXT NOT NULL
) STRICT;
CREATE INDEX past_by_thing ON past (kind, model, id, seq);

INSERT INTO heads (name, seq, hash) SELECT 'past', coalesce(max(at), 0), '' FROM events;
INSERT INTO past (kind, model, id, at, body) SELECT 'version', model, CAST(version AS TEXT), created_at, CASE bundle WHEN '' THEN '' ELSE 'judged' END FROM versions;
INSERT INTO past (kind, model, id, at, body) SELECT 'loop', model, '', h.seq, body FROM loop_state, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'finding', model, id, h.seq, body FROM findings, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'alert', model, id, h.seq, body FROM alerts, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'silence', model, '', h.seq, body FROM silences, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'approval', model, id, h.seq, body FROM approvals, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'snapshot', model, id, made_at, json_object('model', model, 'id', id, 'rows', rows, 'bytes', bytes, 'cause', cause) FROM snapshots;
INSERT INTO past (kind, model, id, at, body) SELECT 'model', name, '', applied_at, json_object('name', name, 'generation', generation, 'file', file,
	'pipeline', pipeline, 'data', json(data), 'columns', json(columns), 'code', json(code), 'commit', json(from_commit), 'applied_by', applied_by) FROM models WHERE generation > 0;

-- When a row came; at says of when it tells.
ALTER TABLE events ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;
UPDATE events SET kept_at = at;
ALTER TABLE release_history ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;
UPDATE release_history SET kept_at = CAST(unixepoch(json_extract(body, '$.entered_at'), 'subsec') * 1000000 AS INTEGER);
