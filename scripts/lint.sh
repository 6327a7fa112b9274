#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs golangci-lint at one version, which the Go module proxy gives as source.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v2.14.0

export GOLANGCI_LINT_CACHE="$PWD/.cache/golangci-lint"
lint=.cache/bin/golangci-lint-$version
if [ ! -x "$lint" ]; then
	echo "building golangci-lint $version, once" >&2
	CGO_ENABLED=0 GOBIN="$PWD/.cache/bin" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
	mv .cache/bin/golangci-lint "$lint"
fi
CGO_ENABLED=0 "$lint" run --allow-parallel-runners "$@" ./...
