#!/bin/sh
# Launches a job with the exact spec of another: rerun.sh JOB
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X POST "$url/jobs/${1:?rerun.sh JOB}/rerun"
