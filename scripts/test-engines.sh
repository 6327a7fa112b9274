#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The executors of clusters against real engines whose pieces are killed, with what takes
# too long for every change. What this machine cannot run is said, before and after.
set -euo pipefail
cd "$(dirname "$0")/.."
export FLYBALL_ENGINES=1

left_out=$(scripts/setup.sh)
[ -z "$left_out" ] || sed 's/^/left out: /' <<<"$left_out"
CGO_ENABLED=0 go test -count=1 -timeout 60m ./training/executor/...
CGO_ENABLED=0 go test -count=1 -timeout 30m -run 'Executor|Slurm' ./e2e
[ -z "$left_out" ] || { echo "passed, but not all was run"; sed 's/^/left out: /' <<<"$left_out"; }
