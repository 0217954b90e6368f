#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Signs here and verifies with the program minisign, and the other way round. with_minisign.sh ATTUNE; 77: no minisign.
set -eu
attune=$1
command -v minisign >/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf 'bytes to sign\n' >file

"$attune" plugins keygen ours >/dev/null
"$attune" plugins sign --key ours.key --comment "by attune" file >/dev/null
minisign -V -H -p ours.pub -m file
minisign -S -W -s ours.key -m file -x again.minisig </dev/null >/dev/null
minisign -V -p ours.pub -m file -x again.minisig >/dev/null

minisign -G -W -p theirs.pub -s theirs.key >/dev/null
for format in "" -l; do
  minisign -S -W $format -s theirs.key -m file -t "by minisign" </dev/null >/dev/null
  "$attune" plugins verify --pub theirs.pub file | grep "by minisign"
done
"$attune" plugins sign --key theirs.key file >/dev/null
minisign -V -p theirs.pub -m file >/dev/null

# An encrypted key, both ways.
printf 'secret\n' >password
"$attune" plugins keygen hidden --password-file password >/dev/null
minisign -S -s hidden.key -m file <password >/dev/null
"$attune" plugins verify --pub hidden.pub file
"$attune" plugins sign --key hidden.key --password-file password file >/dev/null
minisign -V -p hidden.pub -m file >/dev/null

printf 'wrong\n' >password
if "$attune" plugins sign --key hidden.key --password-file password file 2>said; then exit 1; else test $? = 5; fi
grep "the password is wrong" said

printf 'other bytes\n' >file
if "$attune" plugins verify --pub hidden.pub file 2>said; then exit 1; else test $? = 5; fi
grep T-05 said
