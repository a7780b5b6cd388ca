#!/bin/sh
# Shows how well a model classifies a data set:
# evaluation.sh MODEL [dataset=NAME] [split=train] [confusion=full] [images=true]
set -eu
. "$(dirname "$0")/common"
model=${1:?evaluation.sh MODEL [dataset=NAME] [split=train] [confusion=full] [images=true]}
shift
query=$(printf '%s&' "$@")
curl -sS --fail-with-body "$url/models/$model/evaluation?${query%&}"
