#!/bin/sh
# The learning curve so far as CSV: curve.sh JOB
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -H 'Accept: text/csv' "$url/jobs/${1:?curve.sh JOB}/metrics"
