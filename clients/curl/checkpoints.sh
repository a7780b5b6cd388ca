#!/bin/sh
# Lists the weights that a job kept on its way: checkpoints.sh JOB
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/jobs/${1:?checkpoints.sh JOB}/checkpoints"
