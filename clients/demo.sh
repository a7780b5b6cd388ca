#!/bin/sh
# Trains a teacher, a plain student and a distilled student on Fashion-MNIST through the HTTP
# service, then classifies a picture. The last line is one JSON object. `make demo` runs it.
#
# DISTILL_BUILD    folder of the executables (build)
# DISTILL_DATASET  folder of another data set to use
set -eu
cd "$(dirname "$0")/.."

build=$(cd "${DISTILL_BUILD:-build}" && pwd)
work=$build/demo-data
package=/usr/share/datasets/fashion-mnist
service=

stop_service() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    [ -z "$service" ] || wait "$service" || true
    service=
}
trap stop_service EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "demo: $*" >&2
    exit 1
}

say() {
    printf '%s\n' "$*"
}

# ---- the service ----

# api METHOD PATH [curl arguments]: the answer; an error is shown and ends the demo.
api() {
    method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --max-time 120 -X "$method" "$@" "$url$path" >"$work/answer" ||
        fail "$method $path: $(cat "$work/answer")"
    cat "$work/answer"
}

# post PATH JSON
post() {
    api POST "$1" -H 'Content-Type: application/json' -d "$2"
}

start_service() {
    : >"$work/ready" # it is looked at before the background shell may have made it
    "$build/distilld" up data="$work/service" port=0 import_roots="$dataset" \
        >"$work/ready" 2>"$work/log" &
    service=$!
    tries=0
    until grep -q '^distilld ready' "$work/ready"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "$service" 2>/dev/null; then
            tail -n 5 "$work/log" >&2
            fail "distilld did not start; its log is $work/log"
        fi
        sleep 0.1
    done
    url=$(sed -n 's/^distilld ready //p' "$work/ready")
}

# ---- jobs ----

# What a job is doing, as one line of words; a number that is not known yet is "-".
job_words='def or_dash: if . == null then "-" else . end;
    def percent: if . == null then "-" else . * 1000 | round / 10 end;
    [.state, (.progress.phase | or_dash), .progress.epoch, .spec.epochs,
     (.progress.fraction * 100 | floor),
     (.progress.images_per_s | if . then round else "-" end),
     (.progress.remaining_s | if . then ceil else "-" end),
     (.metrics.train.top1 | percent),
     (.metrics.eval.epoch | or_dash), (.metrics.eval.top1 | percent)] | join(" ")'

# One line that is drawn again and again on a terminal, nothing in a pipe.
live() {
    if [ -t 1 ]; then
        printf '\r\033[K%s' "$*"
    fi
}

# await NAME ID: waits for the end of a job and shows how it learns.
await() {
    shown=-
    while :; do
        api GET "/jobs/$2" >"$work/job"
        jq -r "$job_words" "$work/job" >"$work/words"
        read -r state phase epoch epochs share rate left train_top1 eval_epoch eval_top1 \
            <"$work/words"
        if [ "$eval_epoch" != "$shown" ]; then
            live ''
            say "$1: epoch $eval_epoch of $epochs, top1 $eval_top1 %, $rate images/s"
            shown=$eval_epoch
        fi
        case $state in
        succeeded) return ;;
        failed | cancelled) fail "job $2 ($1) $state: $(jq -c .error "$work/job")" ;;
        esac
        live "$1: $phase, epoch $epoch of $epochs, $share %, $rate images/s," \
            "top1 $train_top1 %, $left s left"
        sleep 0.5
    done
}

# train NAME FIELDS: runs a job; sets model and top1.
train() {
    common='"dataset": "fashion_mnist", "epochs": 2, "learning_rate": 0.1, "schedule": "cosine",
            "augment": "none"'
    post /jobs "{\"name\": \"$1\", $common, $2}" >"$work/job"
    await "$1" "$(jq -r .id "$work/job")"
    live ''
    model=$(jq -r .model "$work/job")
    top1=$(jq .metrics.eval.top1 "$work/job")
}

# ---- the demo ----

rm -rf "$work/service"
mkdir -p "$work"
started=$(date +%s)

if [ -n "${DISTILL_DATASET:-}" ]; then
    dataset=$(cd "$DISTILL_DATASET" && pwd)
elif [ -d "$package" ]; then
    dataset=$package
else
    dataset=$work/fashion-mnist
    say "downloading Fashion-MNIST"
    "$build/distill" data get fashion_mnist dir="$dataset" || fail "no data set"
fi

start_service
say "service ready at $url"
post /datasets "{\"name\": \"fashion_mnist\", \"path\": \"$dataset\"}" >"$work/dataset"
jq -r '"\(.name): \(.train_count) + \(.test_count) pictures of \(.height)x\(.width)x\(.channels)"' \
    "$work/dataset"

train teacher '"method": "ce", "student": "resnet20"'
teacher=$model teacher_top1=$top1
train plain '"method": "ce", "student": "resnet8"'
plain_top1=$top1
train distilled "\"method\": \"wttm\", \"teacher\": \"$teacher\", \"student\": \"resnet8\",
                 \"gamma\": 0.25, \"beta\": 2"
student=$model distilled_top1=$top1

"$build/distill" data sample "$dataset" index=0 out="$work/picture.png" >"$work/sample"
api POST "/predict?model=$student&top_k=3" -H 'Content-Type: image/png' \
    --data-binary "@$work/picture.png" >"$work/prediction"
say "$work/picture.png: $(jq -r '[.predictions[0][] | "\(.label) \(.score * 1000 | round / 10) %"]
    | join(", ")' "$work/prediction")"
stop_service

jq -cn --argjson teacher "$teacher_top1" --argjson plain "$plain_top1" \
    --argjson distilled "$distilled_top1" --slurpfile prediction "$work/prediction" \
    --slurpfile sample "$work/sample" --argjson seconds "$(($(date +%s) - started))" \
    '{teacher_top1: $teacher, plain_top1: $plain, distilled_top1: $distilled,
      predicted: $prediction[0].predictions[0][0].label, expected: $sample[0].label,
      seconds: $seconds}'
