-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who has a duty that goes by turns, as it was last told.
CREATE TABLE turns (
	model TEXT COLLATE "C" NOT NULL,
	duty  TEXT COLLATE "C" NOT NULL,
	who   TEXT COLLATE "C" NOT NULL,
	since BIGINT NOT NULL,
	PRIMARY KEY (model, duty)
);
