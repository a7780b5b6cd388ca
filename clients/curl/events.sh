#!/bin/sh
# Follows what happens to a job, a JSON object a line, until it ends; the last line is the job:
# events.sh JOB
set -eu
. "$(dirname "$0")/common"
follow "/jobs/${1:?events.sh JOB}/events"
