#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .cache/NAME, a Python environment of exactly scripts/requirements/NAME.txt, with
# the uv that scripts/setup.sh brings; for what only some scripts need.
set -euo pipefail
cd "$(dirname "$0")/.."
list="scripts/requirements/$1.txt"
cmp -s "$list" ".cache/$1/made" && exit 0
export UV_CACHE_DIR="$PWD/.cache/uv-cache"
.cache/uv/bin/uv venv -q --clear --python "$(command -v python3)" ".cache/$1"
.cache/uv/bin/uv pip install -q --python ".cache/$1/bin/python" --no-deps -r "$list"
cp "$list" ".cache/$1/made"
