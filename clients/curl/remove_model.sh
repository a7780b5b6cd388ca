#!/bin/sh
# Removes a model that nothing needs: remove_model.sh MODEL
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X DELETE "$url/models/${1:?remove_model.sh MODEL}"
