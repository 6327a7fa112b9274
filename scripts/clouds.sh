#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the servers that stand in for Google's and Azure's buckets in tests with the tags
# gcs and azure, and prints what could not be had and is left out for it. No Go module of
# ours needs them.
set -euo pipefail
cd "$(dirname "$0")/.."

gcs=1.56.1 azurite=3.37.0 # blob/blobtest/others.go names them too
if [ ! -x ".cache/bin/fake-gcs-server-$gcs" ]; then
	if CGO_ENABLED=0 GOBIN="$PWD/.cache/gcs" go install -trimpath -ldflags='-s -w' "github.com/fsouza/fake-gcs-server@v$gcs" >&2; then
		mkdir -p .cache/bin && mv .cache/gcs/fake-gcs-server ".cache/bin/fake-gcs-server-$gcs" && rmdir .cache/gcs
	else
		echo "left out: buckets of Google Cloud Storage: fake-gcs-server could not be built"
	fi
fi
if [ ! -d ".cache/azurite-$azurite" ]; then
	if ! { command -v npm >/dev/null && npm install --silent --no-audit --no-fund --ignore-scripts --prefix ".cache/azurite.new" "azurite@$azurite" >&2; }; then
		echo "left out: buckets of Azure: there is no npm, or Azurite could not be fetched"
	else
		mv .cache/azurite.new ".cache/azurite-$azurite"
	fi
fi
