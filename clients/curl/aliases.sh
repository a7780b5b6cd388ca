#!/bin/sh
# Lists the aliases of models: aliases.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/aliases"
