#!/bin/sh
# Says that the server is alive, in the Open Inference Protocol too with v2: health.sh [v2]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
case ${1:-} in
v2) curl -sS --fail-with-body -w '\n' "$url/v2/health/live" "$url/v2/health/ready" ;;
*) curl -sS --fail-with-body "$url/healthz" ;;
esac
