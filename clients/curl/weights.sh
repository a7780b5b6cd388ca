#!/bin/sh
# Downloads a model's weights (safetensors), going on with a file that was cut off:
# weights.sh MODEL FILE
set -eu
. "$(dirname "$0")/common"
curl -sS --fail -C - -o "${2:?weights.sh MODEL FILE}" "$url/models/$1/weights"
