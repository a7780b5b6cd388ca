#!/bin/sh
# Shows the fields of a job as a JSON Schema: schema.sh
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body "$url/schema"
