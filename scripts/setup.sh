#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings what the tests need and prints, one a line, what could not be had and what
# is left out for it. Debian packages as root only; the rest goes to .cache.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "$*" >&2; }

# What a bare Debian lacks: a C compiler for the race detector, PostgreSQL's programs
# (the tests start a server of their own, as another user), Python's venv.
want=()
command -v cc >/dev/null || want+=(gcc libc6-dev)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || want+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || [ -x .cache/venv/bin/python ] || want+=(python3 python3-venv)

if [ ${#want[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing ${want[*]}"
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq >&2
		apt-get install -y -qq --no-install-recommends "${want[@]}" >&2
	else
		for p in "${want[@]}"; do
			case $p in
			gcc) echo "the race detector: no C compiler here, and only root can install gcc" ;;
			postgresql) echo "the store on PostgreSQL: it is not installed here, and only root can install it" ;;
			python3) echo "the comparison with XGBoost in Python: no python3 with venv here, and only root can install it" ;;
			esac
		done
	fi
fi

# Python packages, in an environment of their own, made by a uv of our own.
sum=$(sha256sum scripts/requirements.txt | cut -d' ' -f1)
if [ "$(cat .cache/venv/flyball.sum 2>/dev/null)" != "$sum" ] && python3 -c 'import ensurepip, venv' 2>/dev/null; then
	say "making .cache/venv"
	mkdir -p .cache
	export UV_CACHE_DIR="$PWD/.cache/uv-cache" UV_PYTHON_DOWNLOADS=never UV_NATIVE_TLS=true
	if [ ! -x .cache/uv/bin/uv ]; then
		python3 -m venv .cache/uv >&2
		.cache/uv/bin/pip install -q --disable-pip-version-check uv==0.9.7 >&2
	fi
	.cache/uv/bin/uv venv -q --allow-existing --python "$(command -v python3)" .cache/venv >&2
	.cache/uv/bin/uv pip install -q --python .cache/venv/bin/python --no-deps -r scripts/requirements.txt >&2
	echo "$sum" >.cache/venv/flyball.sum
fi
