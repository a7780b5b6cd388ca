#!/bin/sh
# Classifies JPEG or PNG files in one request; "logits" shows those of all classes too:
# predict_many.sh MODEL probabilities|logits FILE...
set -eu
. "$(dirname "$0")/common"
query="model=${1:?predict_many.sh MODEL probabilities|logits FILE...}&output=$2"
shift 2
for file in "$@"; do
    set -- "$@" -F "images=@$file"
    shift
done
curl -sS --fail-with-body "$@" "$url/predict?$query"
