#!/bin/sh
# Registers a folder on the server, under one of its import roots, as a data set: import.sh NAME PATH
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -H 'Content-Type: application/json' \
    --data-binary "{\"name\": \"$1\", \"path\": \"${2:?import.sh NAME PATH}\"}" "$url/datasets"
