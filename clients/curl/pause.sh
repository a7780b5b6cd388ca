#!/bin/sh
# Lets a job wait until it is resumed: pause.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST "$url/jobs/${1:?pause.sh JOB}/pause"
