#!/bin/sh
# Shows the service's own metrics: prometheus.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/metrics"
