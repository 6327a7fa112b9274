#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that a change must pass. FLYBALL_LONG=1 adds what takes too long for
# every change. What this machine cannot run is said, before and after.
set -euo pipefail
cd "$(dirname "$0")/.."

# Where goroutines are: these run once more under the race detector, but for the tests
# that wait for Python (-short).
race=(./api/... ./app ./job ./loop ./model ./model/onnx ./model/worker ./serving/... ./store ./training/... ./web)

step() { printf '\n== %s\n' "$*"; }

# What must be fetched comes while the first steps compile.
needs=$(mktemp)
scripts/setup.sh >"$needs" &
setup=$!
trap 'wait; rm -f "$needs"' EXIT

step "format"
unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "not formatted; run gofmt -w on:" && echo "$unformatted" && exit 1
fi
echo "gofmt finds nothing"

step "vet"
CGO_ENABLED=0 go vet ./...
echo "go vet finds nothing"

step "lint"
scripts/lint.sh

step "what the tests need"
wait "$setup"
left_out=$(<"$needs")
if [ -n "$left_out" ]; then sed 's/^/left out: /' <<<"$left_out"; else echo "all here"; fi
[ -z "${FLYBALL_LONG:-}" ] && echo "left out: tests that take long; make test-long runs them"

step "tests"
limit=30m
[ -n "${FLYBALL_LONG:-}" ] && limit=90m
CGO_ENABLED=0 go test -vet=off -timeout "$limit" ./... # vet has run

if [ -n "${FLYBALL_LONG:-}" ]; then
	step "the buckets of other providers"
	scripts/clouds.sh
	CGO_ENABLED=0 go test -vet=off -timeout "$limit" -tags gcs,azure ./blob ./bucket ./serving/shipping ./training/executor/cluster
	CGO_ENABLED=0 go test -vet=off -timeout "$limit" -tags gcs,azure -run ABucket ./e2e
fi

step "the builder of the image" # a module of its own
(cd deploy/image && CGO_ENABLED=0 go test ./...)

if command -v cc >/dev/null; then
	step "tests under the race detector"
	# SQLite is C in Go's clothes, on memory that is not Go's: to watch it finds nothing and
	# takes two thirds of the time.
	CGO_ENABLED=1 go test -race -gcflags='modernc.org/...=-race=false' -short -vet=off -timeout "$limit" "${race[@]}"
fi

if [ -n "$left_out" ]; then
	step "passed, but not all was run"
	sed 's/^/left out: /' <<<"$left_out"
fi
