#!/bin/sh
# Launches a job with the exact spec of another: rerun.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST "$url/jobs/${1:?rerun.sh JOB}/rerun"
