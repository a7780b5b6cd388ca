#!/bin/sh
# Removes a data set that no job needs: remove_dataset.sh NAME
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X DELETE "$url/datasets/${1:?remove_dataset.sh NAME}"
