#!/bin/sh
# Launches a job and prints it: submit.sh '{"method": "ce", ...}', or the JSON on standard input.
set -eu
. "$(dirname "$0")/common"
if [ $# -gt 0 ]; then printf '%s' "$1"; else cat; fi |
    curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary @- "$url/jobs"
