#!/bin/sh
# Downloads the weights of a checkpoint: checkpoint.sh CHECKPOINT FILE
set -eu
. "$(dirname "$0")/common"
download "${2:?checkpoint.sh CHECKPOINT FILE}" "$url/checkpoints/$1"
