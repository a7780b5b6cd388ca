#!/bin/sh
# Sends a webhook a message to try it out: test_webhook.sh WEBHOOK
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X POST "$url/webhooks/${1:?test_webhook.sh WEBHOOK}/test"
