#!/bin/sh
# Registers a folder on the server, under one of its import roots, as a data set: import.sh NAME PATH
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -H 'Content-Type: application/json' \
    --data-binary "{\"name\": \"$1\", \"path\": \"${2:?import.sh NAME PATH}\"}" "$url/datasets"
