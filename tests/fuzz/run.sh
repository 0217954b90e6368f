#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes and prints what was done. run.sh FUZZ_BUILD AMOUNT [TARGET...]
#   AMOUNT  60s for seconds a target, 1000000 for inputs a target, 1000000,600s for whatever comes first
# FUZZ_CORPUS=folder keeps the inputs that were found, for the next run. A crash leaves its input in the current folder; shrink it
# with -minimize_crash=1, and keep it in regressions/TARGET.
set -u
here=$(cd "$(dirname "$0")" && pwd)
fuzz=$1 amount=$2
shift 2
limits=
for part in $(echo "$amount" | tr ',' ' '); do
  case $part in
    *[!0-9s]* | s | *s?*) echo "run.sh: expected an amount like 60s, 1000000 or 1000000,60s, found \"$amount\"" >&2; exit 2 ;;
    *s) limits="$limits -max_total_time=${part%s}" ;;
    *) limits="$limits -runs=$part" ;;
  esac
done
[ -n "$limits" ] || { echo "run.sh: expected an amount like 60s, 1000000 or 1000000,60s" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=${FUZZ_CORPUS:-$work/corpus}
sh "$here/seeds.sh" "$corpus" || exit 1
failed=0
for target in ${*:-elf metadata manifest lock signature policy jsonl csv json safetensors gguf chat_template}; do
  mkdir -p "$work/none"
  kept="$here/regressions/$target"
  [ -d "$kept" ] || kept="$work/none"
  "$fuzz/tests/fuzz/fuzz_$target" $limits -max_len=65536 -rss_limit_mb=4096 -timeout=10 -artifact_prefix="$target-" -print_final_stats=1 \
    "$corpus/$target" "$kept" >"$work/log" 2>&1
  code=$?
  stat() { sed -n "s/^stat::$1: *//p" "$work/log"; }
  echo "$target: $(stat number_of_executed_units) inputs, $(stat average_exec_per_sec)/s, $(grep -o 'cov: [0-9]*' "$work/log" | tail -1)," \
    "$(grep -o 'ft: [0-9]*' "$work/log" | tail -1), exit code $code"
  [ $code = 0 ] || { failed=1; tail -60 "$work/log"; }
done
exit $failed
