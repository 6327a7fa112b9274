-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- The sealed files of predictions that the audit chain tells of, as they are by its last
-- record. The chain decides; this only says fast what it knows already.
CREATE TABLE sealed (
	path   TEXT NOT NULL PRIMARY KEY,
	sha256 TEXT NOT NULL
) STRICT;
