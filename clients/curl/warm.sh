#!/bin/sh
# Loads a model, so that no prediction waits for it, or shows its tensors: warm.sh MODEL [tensors]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
path=${1:?warm.sh MODEL [tensors]}
[ "${2:-}" = tensors ] || path=$path/ready
curl -sS --fail-with-body "$url/v2/models/$path"
