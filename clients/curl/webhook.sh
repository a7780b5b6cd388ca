#!/bin/sh
# Registers a URL that is told what happens to jobs, and prints its secret: webhook.sh JSON
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -H 'Content-Type: application/json' \
    --data "${1:?webhook.sh JSON, for example {\"url\": \"https://example.org/hook\"\}}" "$url/webhooks"
