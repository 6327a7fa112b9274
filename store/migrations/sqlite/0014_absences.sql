-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- When people cannot be called, one row for each. body is the absence as JSON.
CREATE TABLE absences (
	person TEXT NOT NULL PRIMARY KEY,
	to_at  INTEGER NOT NULL,
	body   TEXT NOT NULL
) STRICT;
