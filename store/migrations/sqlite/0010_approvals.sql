-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who gave leave to a release. body is the request as JSON, with all that was said to it.
CREATE TABLE approvals (
	model    TEXT NOT NULL,
	id       TEXT NOT NULL,
	asked_at INTEGER NOT NULL,
	ended    INTEGER NOT NULL, -- 0: it waits
	body     TEXT NOT NULL,
	PRIMARY KEY (model, id)
) STRICT;
