#!/bin/sh
# Shows what a job's runs said: logs.sh JOB [LINES], or follows it to the end: logs.sh JOB follow
set -eu
. "$(dirname "$0")/common"
log="$url/jobs/${1:?logs.sh JOB [LINES | follow]}/logs"
if [ "${2:-}" = follow ]; then
    curl -sSN --fail-with-body "$log?follow=true" | sed -un '/^event: end/q; s/^data: //p'
else
    curl -sS --fail-with-body "$log?tail=${2:-100000}"
fi
