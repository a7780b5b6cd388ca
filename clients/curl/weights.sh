#!/bin/sh
# Downloads a model's weights (safetensors), going on with a file that was cut off:
# weights.sh MODEL FILE
set -eu
. "$(dirname "$0")/common"
file=${2:?weights.sh MODEL FILE}
have=0
[ ! -e "$file" ] || have=$(($(wc -c <"$file")))

# One byte first: what a refused request says must not come behind the bytes that are there.
trap 'rm -f -- "$file.head" "$file.part"' EXIT
code=$(curl -sS -r "$have-$have" -D "$file.head" -o "$file.part" -w '%{http_code}' \
    "$url/models/$1/weights")
bytes=$(sed -n 's/^[Cc]ontent-[Rr]ange: bytes \*\/\([0-9]*\).*/\1/p' "$file.head")
case $code:$bytes in
2*) curl -sS --fail -C - -o "$file" "$url/models/$1/weights" ;;
"416:$have") ;; # every byte is there
416*)
    echo "$file is of $have bytes, the weights are of $bytes" >&2
    exit 22
    ;;
*)
    cat -- "$file.part"
    exit 22
    ;;
esac
