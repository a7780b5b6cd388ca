#!/bin/sh
# Waits until the service can take work: ready.sh [SECONDS]
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body --retry "${1:-30}" --retry-delay 1 --retry-connrefused "$url/readyz"
