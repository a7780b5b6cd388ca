#!/bin/sh
# Makes a model of a weights file (safetensors, a state dict of PyTorch's original network); the
# query says what it is: upload.sh FILE 'architecture=resnet32x4&dataset=cifar100&name=teacher'
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
curl -sS --fail-with-body -X POST -H 'Content-Type: application/octet-stream' -T "$1" \
    "$url/models?${2:?upload.sh FILE QUERY}"
