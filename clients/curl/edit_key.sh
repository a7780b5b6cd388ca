#!/bin/sh
# Changes roles or limits of an API key: edit_key.sh NAME '{"active_jobs": 4}'
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X PATCH -H 'Content-Type: application/json' \
    -d "${2:?edit_key.sh NAME JSON}" "$url/keys/$1"
