#!/bin/sh
# The learning curve so far as CSV: curve.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -H 'Accept: text/csv' "$url/jobs/${1:?curve.sh JOB}/metrics"
