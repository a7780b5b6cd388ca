#!/bin/sh
# Lists the registered data sets, or shows one: datasets.sh [NAME]
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/datasets${1:+/$1}"
