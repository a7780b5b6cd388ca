#!/bin/sh
# Cancels a job: cancel.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST "$url/jobs/${1:?cancel.sh JOB}/cancel"
