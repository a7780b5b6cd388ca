#!/bin/sh
# Follows how a job learns, a JSON object a line, until it ends; the last line is the job:
# watch.sh JOB
set -eu
. "$(dirname "$0")/common"
follow "/jobs/${1:?watch.sh JOB}/metrics"
