#!/bin/sh
# Shows the fields of a job as a JSON Schema: schema.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/schema"
