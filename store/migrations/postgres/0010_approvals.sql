-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who gave leave to a release. body is the request as JSON, with all that was said to it.
CREATE TABLE approvals (
	model    TEXT COLLATE "C" NOT NULL,
	id       TEXT COLLATE "C" NOT NULL,
	asked_at BIGINT NOT NULL,
	ended    BIGINT NOT NULL, -- 0: it waits
	body     TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (model, id)
);
