#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The numbers of docs/performance.md, one part by its name or all that need no large
# environment: packages, boosting, server, artifacts, demo. Besides: models, tracking, serving,
# trees, lightgbm, onnx, pipeline, csv, profile, shap, worker. Times are of this machine; ratios travel.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(packages boosting server artifacts demo)

packages() {
	local with
	with=$(grep -rl '^func Benchmark' --include='*_test.go' --exclude-dir=.cache . | xargs -n1 dirname | sort -u)
	# One package after the other, so that they do not take the processor from each other.
	# shellcheck disable=SC2086
	go test -p 1 -run '^$' -bench . -benchmem -count "${COUNT:-1}" $with | grep -v '^goos\|^goarch\|^PASS'
}

boosting() {
	scripts/setup.sh
	if [ -x .cache/boosting/bin/python ]; then
		go run ./bench/training -python .cache/boosting/bin/python
	else
		echo "boosting against XGBoost and LightGBM: left out, there is no .cache/boosting"
	fi
}

tracking() {
	scripts/setup.sh
	if [ -x .cache/mlflow3/bin/mlflow ]; then
		go run ./bench/tracking -mlflow .cache/mlflow3/bin/mlflow -runs "${RUNS:-2000}"
	else
		echo "tracking against MLflow: left out, there is no .cache/mlflow3"
	fi
}

# An environment that only a part here needs. It prints where that cannot be made.
peers() { # name
	scripts/environment.sh "$1" || echo "the environment $1 cannot be made"
}

# What models cost while nobody asks.
models() { go run ./bench/models -models "${MODELS:-10,50,100}"; }

# Predictions over HTTP, against the servers that people use for them.
serving() {
	scripts/setup.sh
	peers peers
	peers ray
	if [ ! -x .cache/peers/bin/python ]; then
		echo "serving: left out, there is no .cache/peers"
		return
	fi
	go run ./bench/serving -peers .cache/peers/bin/python -ray .cache/ray/bin/python -each "${EACH:-5s}"
}

# Scoring without a server, against the library that made the model.
against() { # program python
	scripts/setup.sh
	if [ -x "$2" ]; then
		go run "./bench/$1" -python "$2"
	else
		echo "$1: left out, there is no $2"
	fi
}

trees() { against trees .cache/venv/bin/python; }
lightgbm() { against lightgbm .cache/mlflow3/bin/python; }
shap() { against shap .cache/venv/bin/python; }

# Features, against scikit-learn, and against pandas and DuckDB.
pipeline() {
	scripts/setup.sh
	local data=.cache/data/bin/python sklearn=.cache/onnx/bin/python
	[ -x "$data" ] || data=
	[ -x "$sklearn" ] || sklearn=
	go run ./bench/pipeline -python "$data" -sklearn "$sklearn"
}

# CSV files to columns and to a snapshot, against pandas and DuckDB.
csv() { against csv .cache/data/bin/python; }

# The profile of a large Parquet file.
profile() { go run ./bench/profile -rows "${ROWS:-10000000}"; }

# ONNX against onnxruntime, and the way to a Python process and back.
onnx() {
	scripts/setup.sh
	go test -run '^$' -bench . -benchmem -count "${COUNT:-1}" ./model/onnx | grep -v '^goos\|^goarch\|^PASS'
}

worker() {
	scripts/setup.sh
	go test -run '^$' -bench . -benchmem -count "${COUNT:-1}" ./model/worker | grep -v '^goos\|^goarch\|^PASS'
}

# From the start of an empty server to its first answer, and what it holds at rest.
server() {
	local dir pid from to
	dir=$(mktemp -d)
	go build -trimpath -o "$dir/flyball" ./cmd/flyball
	for try in 1 2 3; do
		rm -rf "$dir/data"
		from=$(date +%s%N)
		"$dir/flyball" serve --data "$dir/data" --listen 127.0.0.1:7199 >"$dir/log" 2>&1 &
		pid=$!
		until curl -sf http://127.0.0.1:7199/readyz >/dev/null 2>&1; do
			kill -0 "$pid" 2>/dev/null || { cat "$dir/log"; return 1; }
		done
		to=$(date +%s%N)
		sleep 5
		echo "server $try: ready after $(((to - from) / 1000000)) ms, $(awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$pid/status") MB resident after 5 s"
		kill "$pid" && wait "$pid" || true
	done
	echo "binary: $(($(stat -c %s "$dir/flyball") / 1000000)) MB"
	rm -rf "$dir"
}

# A large file up and down, against a plain Go file server.
artifacts() {
	local dir
	dir=$(mktemp -d)
	go build -trimpath -o "$dir/flyball" ./cmd/flyball
	go build -trimpath -o "$dir/bench" ./bench/artifacts
	"$dir/bench" -binary "$dir/flyball" 2>/dev/null
	rm -rf "$dir"
}

demo() {
	local dir
	dir=$(mktemp -d)
	go build -trimpath -o "$dir/flyball" ./cmd/flyball
	python3 - "$dir/flyball" <<-'PY'
		import resource, subprocess, sys, time
		began = time.time()
		p = subprocess.run([sys.argv[1], "demo", "--listen", "127.0.0.1:7199"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
		use = resource.getrusage(resource.RUSAGE_CHILDREN)
		print(p.stdout.strip().splitlines()[-1])
		print(f"demo: {time.time() - began:.0f} s, {use.ru_utime + use.ru_stime:.0f} s of the processor, {use.ru_maxrss // 1024} MB at most, exit code {p.returncode}")
		sys.exit(p.returncode)
	PY
	rm -rf "$dir"
}

for part in "${parts[@]}"; do
	"$part"
done
