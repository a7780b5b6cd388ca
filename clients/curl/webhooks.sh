#!/bin/sh
# Lists the webhooks, or shows one and how its last message fared: webhooks.sh [WEBHOOK]
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/webhooks${1:+/$1}"
