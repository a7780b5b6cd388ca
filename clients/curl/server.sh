#!/bin/sh
# Shows the server, in the Open Inference Protocol: server.sh
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/v2"
