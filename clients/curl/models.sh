#!/bin/sh
# Lists models, the newest first, or shows one: models.sh [MODEL]
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/models${1:+/$1}"
