#!/bin/sh
# Removes a webhook and what it was not sent yet: remove_webhook.sh WEBHOOK
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X DELETE "$url/webhooks/${1:?remove_webhook.sh WEBHOOK}"
