#!/bin/sh
# Lists the uploads that are open, or shows one: uploads.sh [UPLOAD]
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/uploads${1:+/$1}"
