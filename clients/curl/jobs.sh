#!/bin/sh
# Lists jobs, the newest first: jobs.sh [NAME=VALUE...], for example jobs.sh state=queued tag=paper
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
for term; do
    set -- "$@" --data-urlencode "$term"
    shift
done
curl -sS --fail-with-body --get "$@" "$url/jobs"
