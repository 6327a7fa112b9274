-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- When people cannot be called, one row for each. body is the absence as JSON.
CREATE TABLE absences (
	person TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	to_at  BIGINT NOT NULL,
	body   TEXT COLLATE "C" NOT NULL
);
