#!/bin/sh
# Lists jobs, the newest first: jobs.sh [NAME=VALUE...], for example jobs.sh state=queued tag=paper
set -eu
. "$(dirname "$0")/common"
for term; do
    set -- "$@" --data-urlencode "$term"
    shift
done
curl -sS --fail-with-body --get "$@" "$url/jobs"
