#!/bin/sh
# Lists the API keys, without their secrets: keys.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/keys?limit=200"
