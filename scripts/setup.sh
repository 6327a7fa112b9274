#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings what the tests need and prints, one a line, what could not be had and what
# is left out for it. Debian packages as root only; the rest goes to .cache.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "$*" >&2; }

# What a bare Debian lacks: a C compiler for the race detector, PostgreSQL's programs
# (the tests start a server of their own, as another user), Python's venv, Slurm, a browser.
want=()
command -v cc >/dev/null || want+=(gcc libc6-dev)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || want+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || [ -x .cache/venv/bin/python ] || want+=(python3 python3-venv)
{ [ -x /usr/sbin/slurmctld ] && [ -x /usr/sbin/munged ]; } || want+=(slurmctld slurmd slurm-client munge)
command -v nft >/dev/null && command -v ip >/dev/null || want+=(nftables iproute2)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || want+=(chromium fonts-dejavu-core)

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
			python3) echo "the comparison with XGBoost in Python, the clients of MLflow and the Python SDK: no python3 with venv here, and only root can install it" ;;
			slurmctld) echo "jobs on Slurm: it is not installed here, and only root can install it" ;;
			chromium) echo "the pages in a browser: no Chromium here, and only root can install it" ;;
			esac
		done
	fi
fi

# Python packages, each list in an environment of its own, made by a uv of our own.
# Nothing but what a list names is installed, since XGBoost asks for a GPU library of
# some hundred megabytes. The modules are imported once, which leaves their bytecode: the
# tests and the workers of Flyball start Python without leave to write, so each of their
# processes would compile all it imports again, some seven seconds for MLflow.
environment() { # name list modules...
	local sum
	sum=$(sha256sum "scripts/$2" | cut -d' ' -f1)
	[ "$(cat ".cache/$1/flyball.sum" 2>/dev/null)" != "$sum" ] || return 0
	say "making .cache/$1"
	mkdir -p .cache
	export UV_CACHE_DIR="$PWD/.cache/uv-cache" UV_PYTHON_DOWNLOADS=never UV_NATIVE_TLS=true
	if [ ! -x .cache/uv/bin/uv ]; then
		python3 -m venv .cache/uv >&2
		.cache/uv/bin/pip install -q --disable-pip-version-check uv==0.9.7 >&2
	fi
	.cache/uv/bin/uv venv -q --clear --python "$(command -v python3)" ".cache/$1" >&2
	.cache/uv/bin/uv pip install -q --python ".cache/$1/bin/python" --no-deps -r "scripts/$2" >&2
	HOME="$PWD/.cache/$1" MPLBACKEND=Agg MLFLOW_DISABLE_TELEMETRY=true \
		".cache/$1/bin/python" -W ignore -c 'import importlib, sys; [importlib.import_module(m) for m in sys.argv[1:]]' "${@:3}" >&2
	echo "$sum" >".cache/$1/flyball.sum"
}

if python3 -c 'import ensurepip, venv' 2>/dev/null; then
	sklearn=(sklearn.{calibration,compose,datasets,ensemble,impute,linear_model,naive_bayes,neighbors,neural_network,pipeline,svm,tree})
	mlflow=(mlflow mlflow.{cli,lightgbm,pyfunc.scoring_server,sklearn,xgboost} fastapi matplotlib.pyplot uvicorn "${sklearn[@]}")
	environment venv requirements.txt xgboost scipy.stats "${sklearn[@]}"
	environment mlflow2 requirements/mlflow2.txt "${mlflow[@]}"
	environment mlflow3 requirements/mlflow3.txt "${mlflow[@]}" mlflow.{server,store.tracking.sqlalchemy_store}
	environment onnx requirements/onnx.txt onnx.reference onnxruntime onnxmltools skl2onnx "${sklearn[@]}"
	environment data requirements/data.txt duckdb pandas pyarrow.parquet
	environment fairness requirements/fairness.txt fairlearn.metrics
	environment oip requirements/oip.txt # each client is started once
fi

# grpcurl, which asks the gRPC server with what that tells of itself.
if [ ! -x .cache/bin/grpcurl ] && ! CGO_ENABLED=0 GOBIN="$PWD/.cache/bin" go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4 >&2; then
	echo "the test with grpcurl: it could not be built"
fi

# axe-core, which finds what keeps somebody with a handicap from reading a page.
axe() {
	npm pack --silent axe-core@4.14.1 && echo "$1  axe-core-4.14.1.tgz" | sha256sum -c --quiet && tar -xzf axe-core-4.14.1.tgz package/axe.min.js && mv package/axe.min.js axe.js && rm -r package axe-core-4.14.1.tgz
}
if [ ! -f .cache/axe/axe.js ]; then
	mkdir -p .cache/axe
	(cd .cache/axe && axe e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745) >&2 || echo "the pages under axe: axe-core could not be fetched"
fi

# versitygw, an S3 server over a folder, from which the tests of sources read.
if [ ! -x .cache/bin/versitygw ] && ! CGO_ENABLED=0 GOBIN="$PWD/.cache/bin" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 >&2; then
	echo "sources in S3: versitygw could not be built"
fi
