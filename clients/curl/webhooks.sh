#!/bin/sh
# Lists the webhooks, or shows one and how its last message fared: webhooks.sh [WEBHOOK]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/webhooks${1:+/$1}"
