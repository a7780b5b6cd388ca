#!/bin/sh
# Downloads what a job has predicted: predictions.sh JOB FILE [jsonl | csv | safetensors]
set -eu
. "$(dirname "$0")/common"
download "${2:?predictions.sh JOB FILE [jsonl | csv | safetensors]}" \
    "$url/jobs/$1/predictions?format=${3:-jsonl}"
