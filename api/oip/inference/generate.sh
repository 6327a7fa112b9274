#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Go code of inference.proto anew. The compiler is protoc of PyPI's grpcio-tools,
# in the environment that scripts/setup.sh makes.
set -euo pipefail
cd "$(dirname "$0")"
bin=$(cd ../../.. && pwd)/.cache/bin
export CGO_ENABLED=0 GOBIN="$bin" PATH="$bin:$PATH"
go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
../../../.cache/oip/bin/python -m grpc_tools.protoc -I. \
	--go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative inference.proto
