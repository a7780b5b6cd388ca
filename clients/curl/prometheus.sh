#!/bin/sh
# Shows the service's own metrics: prometheus.sh
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/metrics"
