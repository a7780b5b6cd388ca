#!/bin/sh
# Lists the aliases of models: aliases.sh
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/aliases"
