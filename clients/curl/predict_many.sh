#!/bin/sh
# Classifies JPEG or PNG files in one request; "logits" shows those of all classes too:
# predict_many.sh MODEL probabilities|logits FILE...
set -eu
url=${DISTILLD_URL:-http://127.0.0.1:8080}
query="model=${1:?predict_many.sh MODEL probabilities|logits FILE...}&output=$2"
shift 2
for file in "$@"; do
    set -- "$@" -F "images=@$file"
    shift
done
curl -sS --fail-with-body "$@" "$url/predict?$query"
