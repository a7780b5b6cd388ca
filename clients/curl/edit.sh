#!/bin/sh
# Changes a job's name, tags or priority: edit.sh JOB '{"priority": 9}'
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X PATCH -H 'Content-Type: application/json' \
    --data-binary "${2:?edit.sh JOB JSON}" "$url/jobs/$1"
