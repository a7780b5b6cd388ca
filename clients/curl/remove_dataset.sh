#!/bin/sh
# Removes a data set that no job needs: remove_dataset.sh NAME
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/datasets/${1:?remove_dataset.sh NAME}"
