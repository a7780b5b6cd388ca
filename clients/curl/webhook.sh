#!/bin/sh
# Registers a URL that is told what happens to jobs, and prints its secret: webhook.sh JSON
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -H 'Content-Type: application/json' \
    --data "${1:?webhook.sh JSON, for example {\"url\": \"https://example.org/hook\"\}}" "$url/webhooks"
