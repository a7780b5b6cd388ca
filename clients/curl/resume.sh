#!/bin/sh
# Lets a paused job go on from its checkpoint: resume.sh JOB
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X POST "$url/jobs/${1:?resume.sh JOB}/resume"
