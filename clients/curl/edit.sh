#!/bin/sh
# Changes a job's name, tags or priority: edit.sh JOB '{"priority": 9}'
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X PATCH -H 'Content-Type: application/json' \
    --data-binary "${2:?edit.sh JOB JSON}" "$url/jobs/$1"
