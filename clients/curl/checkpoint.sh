#!/bin/sh
# Downloads the weights of a checkpoint: checkpoint.sh CHECKPOINT FILE
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -o "${2:?checkpoint.sh CHECKPOINT FILE}" "$url/checkpoints/$1"
