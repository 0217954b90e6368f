#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the keys and signatures beside this script with the program minisign (0.11); run it in this folder.
set -eu
printf 'The bytes that were signed.\n' >signed.txt
minisign -G -f -W -p plain.pub -s plain.key >/dev/null
minisign -S -W -s plain.key -m signed.txt -x prehashed.minisig -t 'prehashed by minisign' </dev/null
minisign -S -W -l -s plain.key -m signed.txt -x legacy.minisig -t 'legacy by minisign' </dev/null
# An encrypted key; its password is "correct horse".
printf 'correct horse\ncorrect horse\n' | minisign -G -f -p encrypted.pub -s encrypted.key >/dev/null
printf 'correct horse\n' | minisign -S -s encrypted.key -m signed.txt -x encrypted.minisig -t 'by an encrypted key' >/dev/null
