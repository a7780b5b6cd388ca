#!/bin/sh
# Lists the weights that a job kept on its way: checkpoints.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/jobs/${1:?checkpoints.sh JOB}/checkpoints"
