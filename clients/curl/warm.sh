#!/bin/sh
# Loads a model, so that no prediction waits for it, or shows its tensors: warm.sh MODEL [tensors]
set -eu
. "$(dirname "$0")/common"
path=${1:?warm.sh MODEL [tensors]}
[ "${2:-}" = tensors ] || path=$path/ready
curl -sS --fail-with-body "$url/v2/models/$path"
