#!/bin/sh
# Downloads a model's weights (safetensors), going on with a file that was cut off:
# weights.sh MODEL FILE
set -eu
. "$(dirname "$0")/common"
target=${2:?weights.sh MODEL FILE}
source=$url/models/$1/weights
trap 'rm -f -- "$target.head" "$target.part" "$target.whole"' EXIT

# header NAME: its value in the last answer, in small letters.
header() {
    tr -d '\r' <"$target.head" | tr '[:upper:]' '[:lower:]' | sed -n "s/^$1: //p"
}

# is_right FILE: it holds the weights that the last answer was about; their SHA-256 is the ETag.
is_right() {
    [ "$(sha256sum <"$1")" = "$(header etag | tr -d '"')  -" ]
}

# One byte first: what a refused request says must not come behind the bytes that are there.
code=$(curl -sS -r 0-0 -D "$target.head" -o "$target.part" -w '%{http_code}' "$source")
case $code in
2*) ;;
*)
    cat -- "$target.part"
    exit 22
    ;;
esac
have=0
[ ! -e "$target" ] || have=$(($(wc -c <"$target")))
bytes=$(header content-range)
if [ "$have" -lt "${bytes#*/}" ]; then
    status=0
    curl -sS --fail -C "$have" -H "If-Range: $(header etag)" -o "$target" "$source" || status=$?
    case $status in
    0 | 33) ;; # 33: the answer is of other weights by now, and whole
    *) exit "$status" ;;
    esac
fi

# What was there, or its first part, may have been another model's.
if ! is_right "$target"; then
    download "$target.whole" -D "$target.head" "$source"
    is_right "$target.whole" || {
        echo "$target: the weights were damaged on their way" >&2
        exit 1
    }
    mv -- "$target.whole" "$target"
fi
