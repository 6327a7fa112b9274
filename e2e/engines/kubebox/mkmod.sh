#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes go.mod for a Kubernetes control plane in one binary. usage: sh mkmod.sh v1.37.2 > go.mod
# The released module points its own parts ("staging") at ./staging, which the module zip lacks: point them at the tags instead.
set -eu
K=$1; S="v0.${K#v1.}"
dir=$(cd "$(mktemp -d)" && go mod init x >/dev/null 2>&1 && go mod download -json "k8s.io/kubernetes@$K" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
etcd=$(sed -n 's|.*go.etcd.io/etcd/client/v3 \(v[0-9.]*\).*|\1|p' "$dir/go.mod" | head -1)
printf 'module flyball.test/kubebox\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubernetes %s\n\tgo.etcd.io/etcd/server/v3 %s\n)\n\nreplace (\n' "$K" "$etcd"
sed -n 's|^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging.*|\t\1 => \1 '"$S"'|p' "$dir/go.mod"
printf ')\n'
