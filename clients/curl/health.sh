#!/bin/sh
# Says that the server is alive, in the Open Inference Protocol too with v2: health.sh [v2]
set -eu
. "$(dirname "$0")/common"
case ${1:-} in
v2) curl -sS --fail-with-body -w '\n' "$url/v2/health/live" "$url/v2/health/ready" ;;
*) curl -sS --fail-with-body "$url/healthz" ;;
esac
