#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the table of docs/sites.md: what each deployment needs, weighs and takes to start. deployments.sh BUILD_FOLDER
set -eu
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Kilobytes of what a component installs, without symbols for debuggers.
row() {
  name=$1 torch=$2
  shift 2
  root=$work/root
  rm -rf "$root"
  for component in "$@"; do cmake --install "$build" --component "$component" --prefix "$root" --strip >/dev/null 2>&1; done
  size=$(du -sk --apparent-size "$root" | cut -f1)
  needs=no
  for file in $(find "$root" -type f); do
    if readelf -d "$file" 2>/dev/null | grep -q 'NEEDED.*libtorch'; then needs=yes; fi
  done
  [ "$needs" = "$torch" ] || { echo "$name: LibTorch needed: $needs, expected: $torch" >&2; exit 1; }
  # The best of ten starts, in milliseconds.
  start=$(for i in 1 2 3 4 5 6 7 8 9 10; do
    a=$(date +%s%N); "$root/bin/attune" plugins list >/dev/null; b=$(date +%s%N); echo $(((b - a) / 10000))
  done | sort -n | head -1)
  printf '| %s | %s | %s | %d.%d MB | %d.%02d ms |\n' "$name" "$(echo $* | sed 's/ /, /g')" "$torch" $((size / 1024)) $((size % 1024 * 10 / 1024)) $((start / 100)) $((start % 100))
}

echo '| deployment | components | LibTorch | size | start |'
echo '|---|---|---|---|---|'
row 'check manifests' no host
row 'prepare data' no host datasets readers tokenizers
row 'evaluate against a server' no host datasets evaluators readers generators
row 'train and evaluate text' yes host engine models algorithms datasets evaluators readers weights tokenizers
row 'everything' yes host engine models algorithms datasets evaluators readers weights tokenizers generators trackers
