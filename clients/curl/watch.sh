#!/bin/sh
# Follows how a job learns, a JSON object a line, until it ends; the last line is the job:
# watch.sh JOB
set -eu
. "$(dirname "$0")/common"
job=$(curl -sS --fail-with-body "$url/jobs/${1:?watch.sh JOB}") || { echo "$job"; exit 22; }
curl -sSN --fail-with-body -H 'Accept: text/event-stream' "$url/jobs/$1/metrics" |
    sed -un 's/^data: //p'
