#!/bin/sh
# Lists the uploads that are open, or shows one: uploads.sh [UPLOAD]
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/uploads${1:+/$1}"
