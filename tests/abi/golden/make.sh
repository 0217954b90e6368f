#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the plugins that are kept of a release, by gcc, g++, clang with libc++ inside, and Rust: make.sh VERSION.
# Run once, when a version is released; from then on the files stay as they are. Needs lld, and libc++ and libc++abi as archives.
set -eu
cd "$(dirname "$0")"
version=$1
root=../../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$version"

# build NAME COMPILER COMMAND...: the note, then the plugin.
build() {
  name=$1 compiler=$2
  shift 2
  cat >"$work/plugin.toml" <<END
id = "org.attune.test.$name"
version = "1.0.0"
license = "Apache-2.0"
tier = "pure"
summary = "Kept from release $version"
[[provides]]
kind = "dataset/1"
name = "$name"
[build]
abi = "$version"
fingerprint = ""
compiler = "$compiler"
END
  sed "s|@embedded@|$work/plugin.toml|" $root/sdk/cmake/note.S.in >"$work/note.S"
  gcc -c "$work/note.S" -o "$work/note.o"
  "$@" -o "$version/$name.attune.so"
  strip "$version/$name.attune.so"
  chmod 644 "$version/$name.attune.so"
}

# c NAME COMMAND...: the same with the flags of C and C++.
c() {
  name=$1
  shift
  build "$name" "$($1 --version | head -1)" "$@" -shared -fPIC -Os -fvisibility=hidden -ffunction-sections -I$root/sdk/released/$version \
    "-DPLUGIN_ID=\"org.attune.test.$name\"" "-DPLUGIN_NAME=\"$name\"" "$work/note.o" -Wl,--build-id=none -Wl,--exclude-libs,ALL \
    -Wl,-z,now -Wl,-z,defs -Wl,--gc-sections -Wl,--version-script=$root/sdk/cmake/plugin.version
}
c golden_c gcc -std=c11 golden.c
c golden_cpp g++ -std=c++17 golden.cpp
# Nothing ends in std::terminate: without the demangler of its message the file is a third as long.
c golden_libcxx ${CLANGXX:-clang++} -std=c++17 -stdlib=libc++ -static-libstdc++ -static-libgcc golden.cpp -fuse-ld=lld -Wl,--icf=all \
  -Wl,--defsym=__cxa_demangle=0
build golden_rust "$(rustc --version)" rustc --edition 2021 --crate-type cdylib -C opt-level=s -C panic=abort -C lto=fat -C link-arg="$work/note.o" \
  -C link-arg=-Wl,--no-gc-sections -C link-arg=-Wl,-z,now -C link-arg=-lc golden.rs
ls -l "$version"
