#!/bin/sh
# Shows pictures of a data set, PNG in base64: samples.sh NAME [split=test] [offset=N] [limit=N]
set -eu
. "$(dirname "$0")/common"
name=${1:?samples.sh NAME [split=test] [offset=N] [limit=N]}
shift
query=$(printf '%s&' "$@")
curl -sS --fail-with-body "$url/datasets/$name/samples?${query%&}"
