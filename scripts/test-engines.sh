#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The executors of clusters against real engines whose pieces are killed, with what takes
# too long for every change: slurm, kubernetes and ray, or those of them that are named. It
# starts them on this machine, needs no daemon and no container, and prints the table of
# docs/engines.md. What this machine cannot run is said.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
engines=("$@")
[ ${#engines[@]} -gt 0 ] || engines=(slurm kubernetes ray)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
left_out=$(scripts/setup.sh)
[ -z "$left_out" ] || sed 's/^/left out: /' <<<"$left_out" >&2

slurm() { true; } # a package of Debian, which setup.sh brings

# A control plane of Kubernetes in one binary: some 15 minutes of a processor, once.
# Helm renders the chart: some minutes, once.
kubernetes() {
	local release version
	[ -x .cache/bin/helm-v3.22.0 ] || {
		GOBIN="$PWD/.cache/helm" go install -trimpath -ldflags='-s -w' helm.sh/helm/v3/cmd/helm@v3.22.0 >&2
		mkdir -p .cache/bin && mv .cache/helm/helm .cache/bin/helm-v3.22.0
	}
	kueue
	release=$(sed -n 's/^\tk8s.io\/kubernetes v//p' e2e/engines/kubebox/go.mod | head -1)
	version=$release-$(cat e2e/engines/kubebox/*.{go,mod,sum} | sha256sum | head -c 8)
	[ -x ".cache/bin/kubebox-$version" ] && return
	echo "building kubebox $version" >&2
	rm -f .cache/bin/kubebox-*
	(cd e2e/engines/kubebox && go build -trimpath -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=v$release" -o "../../../.cache/bin/kubebox-$version" .)
}

# Kueue, with its kinds and webhooks as the release describes them: some minutes, once.
kueue() {
	local to=.cache/kueue-0.19.2 module
	[ ! -x "$to/kueue" ] || return 0
	mkdir -p "$to/crd"
	module=$(go mod download -json sigs.k8s.io/kueue@v0.19.2 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') &&
		install -m 644 "$module"/config/components/crd/bases/*.yaml "$to/crd" &&
		install -m 644 "$module/config/components/webhook/manifests.yaml" "$to/webhooks.yaml" &&
		GOBIN="$PWD/$to" go install -trimpath -ldflags='-s -w' sigs.k8s.io/kueue/cmd/kueue@v0.19.2 >&2 ||
		echo "left out: Kueue, which could not be built" >&2
}

ray() { scripts/environment.sh ray; }

failed=0
for engine in "${engines[@]}"; do
	"$engine"
	for of in "./training/executor/$engine ." "./e2e Executor/$engine" "./e2e/engines Chart"; do
		read -r package tests <<<"$of"
		FLYBALL_ENGINES=$engine go test -count=1 -timeout 60m -v -run "$tests" "$package" >"$out" 2>&1 || { failed=1 && cat "$out" >&2; }
		# A line for each test on the cluster and each part of one, but for those of the contract; what takes no time is not one.
		sed -nE 's/^ {0,8}--- (PASS|FAIL): ([^ ]+) \(([0-9.]+)s\)$/\3 \1 \2/p' "$out" | while read -r seconds result name; do
			case "$seconds $name" in 0.0?\ * | *[cC]ontract*/* | *"/$engine") continue ;; esac
			test=${name%%/*} part=${name#*/}
			if [ "$test" = "$name" ]; then
				said=$(sed -E 's/^Test//; s/([a-z])([A-Z])/\1 \2/g; s/([A-Z])([A-Z][a-z])/\1 \2/g' <<<"$test")
			else
				said="… $(tr _/ ' ' <<<"${part#"$engine/"}")"
			fi
			printf '| %s | %s | %s | %s |\n' "$engine" "$said" "$result" "$seconds"
		done
	done
done
exit $failed
