#!/bin/sh
# Shows a job: job.sh JOB [SECONDS], after waiting at most so long for its state to change
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/jobs/${1:?job.sh JOB [SECONDS]}?wait_s=${2:-0}"
