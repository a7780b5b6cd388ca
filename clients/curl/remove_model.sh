#!/bin/sh
# Removes a model that nothing needs: remove_model.sh MODEL
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/models/${1:?remove_model.sh MODEL}"
