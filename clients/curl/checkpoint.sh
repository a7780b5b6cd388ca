#!/bin/sh
# Downloads the weights of a checkpoint: checkpoint.sh CHECKPOINT FILE
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -o "${2:?checkpoint.sh CHECKPOINT FILE}" "$url/checkpoints/$1"
