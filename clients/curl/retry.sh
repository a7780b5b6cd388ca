#!/bin/sh
# Queues a failed job again: retry.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST "$url/jobs/${1:?retry.sh JOB}/retry"
