-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- How the routes answered, by the hour. Each process writes what it counted since it
-- began, over what it wrote before: writing twice changes nothing.
CREATE TABLE hours (
	process    TEXT NOT NULL,
	model      TEXT NOT NULL,
	start_at   INTEGER NOT NULL,
	generation INTEGER NOT NULL,
	answered   INTEGER NOT NULL,
	failed     INTEGER NOT NULL,
	PRIMARY KEY (model, start_at, generation, process)
) STRICT;

-- Which events a subscriber took.
CREATE TABLE deliveries (
	id    TEXT NOT NULL PRIMARY KEY,
	model TEXT NOT NULL,
	kind  TEXT NOT NULL,
	at    INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_by_model ON deliveries (model, at);
