#!/bin/sh
# Lists the registered data sets, or shows one: datasets.sh [NAME]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/datasets${1:+/$1}"
