#!/bin/sh
# Lists the networks that can be trained: architectures.sh [QUERY], for example "height=28&width=28"
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/architectures${1:+?$1}"
