#!/bin/sh
# Lets a name stand for a model from now on: alias.sh NAME MODEL
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X PUT -H 'Content-Type: application/json' \
    --data "{\"model\": \"${2:?alias.sh NAME MODEL}\"}" "$url/aliases/$1"
