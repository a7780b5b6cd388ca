#!/bin/sh
# Makes a model of a weights file (safetensors, a state dict of PyTorch's original network); the
# query says what it is: upload.sh FILE 'architecture=resnet32x4&dataset=cifar100&name=teacher'
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body -X POST -H 'Content-Type: application/octet-stream' -T "$1" \
    "$url/models?${2:?upload.sh FILE QUERY}"
