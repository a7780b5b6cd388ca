#!/bin/sh
# Removes an alias; its model stays: remove_alias.sh NAME
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/aliases/${1:?remove_alias.sh NAME}"
