-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- How the routes answered, by the hour. Each process writes what it counted since it
-- began, over what it wrote before: writing twice changes nothing.
CREATE TABLE hours (
	process    TEXT COLLATE "C" NOT NULL,
	model      TEXT COLLATE "C" NOT NULL,
	start_at   BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	answered   BIGINT NOT NULL,
	failed     BIGINT NOT NULL,
	PRIMARY KEY (model, start_at, generation, process)
);

-- Which events a subscriber took.
CREATE TABLE deliveries (
	id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	model TEXT COLLATE "C" NOT NULL,
	kind  TEXT COLLATE "C" NOT NULL,
	at    BIGINT NOT NULL
);
CREATE INDEX deliveries_by_model ON deliveries (model, at);
