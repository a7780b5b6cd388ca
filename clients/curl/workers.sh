#!/bin/sh
# Lists the workers and which job they have: workers.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/workers"
