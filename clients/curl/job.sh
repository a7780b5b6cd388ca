#!/bin/sh
# Shows a job: job.sh JOB [SECONDS], after waiting at most so long for its state to change
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/jobs/${1:?job.sh JOB [SECONDS]}?wait_s=${2:-0}"
