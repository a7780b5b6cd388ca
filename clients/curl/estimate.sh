#!/bin/sh
# What a job would cost, without launching it: estimate.sh '{"method": "ce", ...}', or on stdin.
set -eu
. "$(dirname "$0")/common"
if [ $# -gt 0 ]; then printf '%s' "$1"; else cat; fi |
    curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary @- \
        "$url/jobs?dry_run=true"
