#!/bin/sh
# Removes an alias; its model stays: remove_alias.sh NAME
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X DELETE "$url/aliases/${1:?remove_alias.sh NAME}"
