#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Of each component: the .deb depends on the packages of the libraries that its files need, no more and no fewer, and holds what the
# .tar.gz does. packages.sh FOLDER TORCH
set -eu
cd "$1"
torch=$2
fail() { echo "$*" >&2; exit 1; }

# The Debian package of a library by its SONAME, as the loader finds it; each is sought once.
: >known
package_of() {
  if ! grep -q "^$1 " known; then
    path=$(ldconfig -p | awk -v name="$1" '$1 == name && /x86-64|AArch64/ {print $NF; exit}')
    [ -n "$path" ] || fail "$1: not on this machine"
    # Where /lib is a link to /usr/lib, a package may own a file by either name.
    owner=$(dpkg-query -S "$path" "$(readlink -f "$path")" "/usr$path" "${path#/usr}" 2>/dev/null | head -1 | cut -d: -f1)
    echo "$1 $owner" >>known
  fi
  sed -n "s/^$1 //p" known
}

count=0
for deb in *.deb; do
  component=${deb#attune-} component=${component%%_*}
  rm -rf root
  dpkg-deb -x "$deb" root
  for file in $(find root -name '*.so' -o -type f -path '*/bin/*'); do
    ! readelf -d "$file" | grep -q "$torch" || [ "$component" = engine ] || fail "$deb: ${file#root} names a folder of the machine that built it"
    readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
  done | sort -u | grep -v -e '^libtorch' -e '^libc10' >needed || [ "$component" = sdk ]
  { while read -r library; do package_of "$library"; done <needed
    case $component in host) ;; models | algorithms | collectives) echo attune-engine ;; *) echo attune-host ;; esac; } | sort -u >expected
  dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//' | sort -u >found
  cmp -s expected found || fail "$deb: expected to depend on $(echo $(cat expected)), found $(echo $(cat found))"
  (cd root && find . -type f | sort) >expected
  tar tzf attune-*-"$component".tar.gz | grep -v '/$' | sed 's|^\(\./\)*|./|' | sort >found
  cmp -s expected found || fail "$deb and the .tar.gz differ: $(diff expected found | head -5)"
  count=$((count + 1))
done
[ "$count" -ge 10 ] || fail "expected a .deb of every component, found $count"
