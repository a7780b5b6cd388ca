#!/bin/sh
# Removes an upload with all that has arrived: remove_upload.sh UPLOAD
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X DELETE "$url/uploads/${1:?remove_upload.sh UPLOAD}"
