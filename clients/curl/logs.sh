#!/bin/sh
# Shows what a job's runs said: logs.sh JOB [LINES], or follows it to the end: logs.sh JOB follow
set -eu
. "$(dirname "$0")/common"
log="/jobs/${1:?logs.sh JOB [LINES | follow]}/logs"
if [ "${2:-}" = follow ]; then
    follow "$log?follow=true" "/^event: end/,\$d;"
else
    curl -sS --fail-with-body "$url$log?tail=${2:-100000}"
fi
