#!/bin/sh
# Removes an upload with all that has arrived: remove_upload.sh UPLOAD
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X DELETE "$url/uploads/${1:?remove_upload.sh UPLOAD}"
