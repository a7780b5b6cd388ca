#!/bin/sh
# Waits until the service can take work: ready.sh [SECONDS]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body --retry "${1:-30}" --retry-delay 1 --retry-connrefused "$url/readyz"
