-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- The commit that a model file was applied from. JSON; null: not known.
ALTER TABLE models ADD COLUMN from_commit TEXT COLLATE "C" NOT NULL DEFAULT 'null';
