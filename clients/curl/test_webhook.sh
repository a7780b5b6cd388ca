#!/bin/sh
# Sends a webhook a message to try it out: test_webhook.sh WEBHOOK
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST "$url/webhooks/${1:?test_webhook.sh WEBHOOK}/test"
