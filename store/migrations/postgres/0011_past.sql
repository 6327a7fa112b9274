-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What is overwritten or says nothing of when it came, as it was from a moment on: bodies
-- of models, of the loop, of findings, alerts, silences, approvals and snapshots, and that
-- a version came (body: empty) and was judged (body: judged). Rows are only added. at is by
-- the clock of whoever wrote it. The counter 'past' in heads is the moment from which it is
-- complete: what was there before is kept as it was then.
CREATE TABLE past (
	seq   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind  TEXT COLLATE "C" NOT NULL,
	model TEXT COLLATE "C" NOT NULL, -- empty: of no one model
	id    TEXT COLLATE "C" NOT NULL, -- among those of its kind and model
	at    BIGINT NOT NULL,
	body  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX past_by_thing ON past (kind, model, id, seq);

INSERT INTO heads (name, seq, hash) SELECT 'past', coalesce(max(at), 0), '' FROM events;
INSERT INTO past (kind, model, id, at, body) SELECT 'version', model, CAST(version AS TEXT), created_at, CASE bundle WHEN '' THEN '' ELSE 'judged' END FROM versions;
INSERT INTO past (kind, model, id, at, body) SELECT 'loop', model, '', h.seq, body FROM loop_state, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'finding', model, id, h.seq, body FROM findings, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'alert', model, id, h.seq, body FROM alerts, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'silence', model, '', h.seq, body FROM silences, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'approval', model, id, h.seq, body FROM approvals, heads h WHERE h.name = 'past';
INSERT INTO past (kind, model, id, at, body) SELECT 'snapshot', model, id, made_at, CAST(json_build_object('model', model, 'id', id, 'rows', rows, 'bytes', bytes, 'cause', cause) AS TEXT) FROM snapshots;
INSERT INTO past (kind, model, id, at, body) SELECT 'model', name, '', applied_at, CAST(json_build_object('name', name, 'generation', generation, 'file', file,
	'pipeline', pipeline, 'data', CAST(data AS JSON), 'columns', CAST(columns AS JSON), 'code', CAST(code AS JSON), 'commit', CAST(from_commit AS JSON), 'applied_by', applied_by) AS TEXT) FROM models WHERE generation > 0;

-- When a row came; at says of when it tells.
ALTER TABLE events ADD COLUMN kept_at BIGINT NOT NULL DEFAULT 0;
UPDATE events SET kept_at = at;
ALTER TABLE release_history ADD COLUMN kept_at BIGINT NOT NULL DEFAULT 0;
UPDATE release_history SET kept_at = CAST(EXTRACT(EPOCH FROM CAST(CAST(body AS JSON) ->> 'entered_at' AS TIMESTAMPTZ)) * 1000000 AS BIGINT);
