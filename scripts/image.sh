#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the container image for linux/amd64 and arm64 and prints its digest. The same
# commit and the same Go give the same digest.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
for arch in amd64 arm64; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -tags timetzdata -ldflags='-s -w -buildid=' -o "bin/flyball-linux-$arch" ./cmd/flyball
done
(cd deploy/image && CGO_ENABLED=0 go build -trimpath -o ../../bin/image .)
bin/image -out bin/flyball.oci.tar -version "${FLYBALL_VERSION:-devel}" -revision "$(git rev-parse HEAD)" -time "$(git log -1 --format=%ct)" \
	amd64=bin/flyball-linux-amd64 arm64=bin/flyball-linux-arm64
