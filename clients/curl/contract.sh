#!/bin/sh
# Shows the contract, openapi.yaml, which a browser shows at /docs: contract.sh
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/openapi.yaml"
