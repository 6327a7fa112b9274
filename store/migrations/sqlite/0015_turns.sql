-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Who has a duty that goes by turns, as it was last told.
CREATE TABLE turns (
	model TEXT NOT NULL,
	duty  TEXT NOT NULL,
	who   TEXT NOT NULL,
	since INTEGER NOT NULL,
	PRIMARY KEY (model, duty)
) STRICT;
