#!/bin/sh
# Lets a job wait until it is resumed: pause.sh JOB
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X POST "$url/jobs/${1:?pause.sh JOB}/pause"
