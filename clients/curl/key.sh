#!/bin/sh
# Makes an API key and prints it with its secret, once: key.sh NAME ROLE[,ROLE...]
set -eu
. "$(dirname "$0")/common"
roles=$(printf '%s' "${2:?key.sh NAME ROLE[,ROLE...]}" | sed 's/,/", "/g')
curl -sS --fail-with-body -H 'Content-Type: application/json' \
    -d "{\"name\": \"$1\", \"roles\": [\"$roles\"]}" "$url/keys"
