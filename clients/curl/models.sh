#!/bin/sh
# Lists models, the newest first, or shows one: models.sh [MODEL]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/models${1:+/$1}"
