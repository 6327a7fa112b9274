-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- How many rows of the answers went to the prediction log.
ALTER TABLE hours ADD COLUMN rows BIGINT NOT NULL DEFAULT 0;
