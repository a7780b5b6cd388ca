#!/bin/sh
# Uploads a folder as a data set in one request: upload_folder.sh NAME FOLDER
set -eu
. "$(dirname "$0")/common"
tar -C "${2:?upload_folder.sh NAME FOLDER}" -cf - . |
    curl -sS --fail-with-body -X POST -H 'Content-Type: application/x-tar' -T - \
        "$url/datasets?name=$1"
