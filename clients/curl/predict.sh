#!/bin/sh
# Classifies a JPEG or PNG file: predict.sh MODEL FILE [TOP_K]
set -eu
. "$(dirname "$0")/common"
case ${2:?predict.sh MODEL FILE [TOP_K]} in
*.png | *.PNG) type=image/png ;;
*) type=image/jpeg ;;
esac
curl -sS --fail-with-body -H "Content-Type: $type" --data-binary "@$2" \
    "$url/predict?model=$1&top_k=${3:-5}"
