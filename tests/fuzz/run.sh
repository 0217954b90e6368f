#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes for SECONDS a target and prints how many inputs ran. run.sh FUZZ_BUILD BUILD SECONDS [TARGET...]
# A crash leaves its input in the current folder; shrink it with -minimize_crash=1, and keep it in regressions/TARGET.
set -u
fuzz=$1 build=$2 seconds=$3
shift 3
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
sh "$(dirname "$0")/seeds.sh" "$build" "$corpus"
for target in ${*:-elf metadata manifest trust jsonl csv json safetensors gguf chat_template}; do
  "$fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=4096 -timeout=10 -artifact_prefix="$target-" \
    -print_final_stats=1 "$corpus/$target" >"$corpus/log" 2>&1
  code=$?
  echo "$target: $(sed -n 's/stat::number_of_executed_units: *//p' "$corpus/log") inputs, $(grep -o 'cov: [0-9]*' "$corpus/log" | tail -1), exit code $code"
  [ $code = 0 ] || tail -40 "$corpus/log"
done
