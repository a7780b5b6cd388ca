#!/bin/sh
# Classifies a JPEG or PNG file by the Open Inference Protocol: infer.sh MODEL FILE [TOP_K]
set -eu
. "$(dirname "$0")/common"
base64 -w0 "${2:?infer.sh MODEL FILE [TOP_K]}" |
    sed 's/.*/{"inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "data": ["&"]}],/' |
    sed "s/\$/ \"outputs\": [{\"name\": \"probabilities\", \"parameters\": {\"classification\": ${3:-5}}}]}/" |
    curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary @- \
        "$url/v2/models/$1/infer"
