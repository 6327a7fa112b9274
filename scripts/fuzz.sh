#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzz every fuzz target, one after the other, for the TIME of the first argument each
# (10m where there is none). A second argument takes only the targets that it matches, as
# package:target. One line a target; the exit is 1 where an input was found that fails,
# which is then in that package's testdata/fuzz.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export CGO_ENABLED=0
time=${1:-10m}
only=${2:-.}
say=$(mktemp)
trap 'rm -f "$say"' EXIT
result=0

targets() { # every "package target" of the module, as its sources name them: listing them by the go command would link every test first
	grep -roE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' --exclude-dir=.cache . |
		sed -E 's,^\./(.*)/[^/]*_test\.go:func (Fuzz.*),flyball/\1 \2,' | sort
}

printf '%-34s %-46s %12s %6s  %s\n' package target executions new result
while read -r package target; do
	[[ $package:$target =~ $only ]] || continue
	word=passed
	go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 5x >"$say" 2>&1 </dev/null || { word=FAILED; result=1; }
	# The last line of progress says how many inputs ran, and how many of them took a new way;
	# there is none where the time was over before those that are kept had been tried.
	read -r execs new <<<"$(sed -nE 's/.*execs: ([0-9]+) .*new interesting: ([0-9]+).*/\1 \2/p' "$say" | tail -1)"
	printf '%-34s %-46s %12s %6s  %s\n' "${package#flyball/}" "$target" "${execs:--}" "${new:--}" "$word"
	[ "$word" = passed ] || sed 's/^/    /' "$say" | tail -40
done < <(targets)
exit "$result"
