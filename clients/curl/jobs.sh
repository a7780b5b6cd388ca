#!/bin/sh
# Lists jobs, the newest first: jobs.sh [STATE]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/jobs${1:+?state=$1}"
