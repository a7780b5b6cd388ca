#!/bin/sh
# Removes an API key: remove_key.sh NAME
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/keys/${1:?remove_key.sh NAME}"
