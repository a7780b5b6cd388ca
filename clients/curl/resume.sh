#!/bin/sh
# Lets a paused job go on from its checkpoint: resume.sh JOB
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST "$url/jobs/${1:?resume.sh JOB}/resume"
