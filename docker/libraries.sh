#!/bin/sh
# Prints the packages (Debian, Ubuntu) that own the shared libraries which the executables given as
# arguments need: what an image must install to run what another stage has built.
set -eu
folder="*/$(cc -print-multiarch)"
objdump -p "$@" | awk -v folder="$folder" '$1 == "NEEDED" { print folder "/" $2 }' | sort -u |
    xargs dpkg -S | cut -d : -f 1 | sort -u
