#!/bin/sh
# Removes a finished job; its model stays: remove.sh JOB
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X DELETE "$url/jobs/${1:?remove.sh JOB}"
