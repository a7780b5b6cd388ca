#!/bin/sh
# Downloads a model as ONNX; with a third argument "true" the file normalises pixels in 0..1 itself:
# onnx.sh MODEL FILE [NORMALIZE]
set -eu
. "$(dirname "$0")/common"
download "${2:?onnx.sh MODEL FILE [NORMALIZE]}" \
    "$url/models/$1/weights?format=onnx&normalize=${3:-false}"
