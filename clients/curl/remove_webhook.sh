#!/bin/sh
# Removes a webhook and what it was not sent yet: remove_webhook.sh WEBHOOK
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/webhooks/${1:?remove_webhook.sh WEBHOOK}"
