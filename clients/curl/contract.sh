#!/bin/sh
# Shows the contract, openapi.yaml, which a browser shows at /docs: contract.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/openapi.yaml"
