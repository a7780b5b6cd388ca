#!/bin/sh
# Removes a finished job; its model stays: remove.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/jobs/${1:?remove.sh JOB}"
