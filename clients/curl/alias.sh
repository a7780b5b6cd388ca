#!/bin/sh
# Lets a name stand for a model from now on: alias.sh NAME MODEL
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X PUT -H 'Content-Type: application/json' \
    --data "{\"model\": \"${2:?alias.sh NAME MODEL}\"}" "$url/aliases/$1"
