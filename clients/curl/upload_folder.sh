#!/bin/sh
# Uploads a folder as a data set in one request: upload_folder.sh NAME FOLDER
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
tar -C "${2:?upload_folder.sh NAME FOLDER}" -cf - . |
    curl -sS --fail-with-body -X POST -H 'Content-Type: application/x-tar' -T - \
        "$url/datasets?name=$1"
