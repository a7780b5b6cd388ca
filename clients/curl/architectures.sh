#!/bin/sh
# Lists the networks that can be trained: architectures.sh [QUERY], for example "height=28&width=28"
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/architectures${1:+?$1}"
