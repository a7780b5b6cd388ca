#!/bin/sh
# Uploads the files of a data set (train.bin test.bin, train.tar val.tar, ...) and registers it:
# upload_dataset.sh NAME FILE... The first line on standard error is the upload; with its id in place
# of the name, what broke off goes on.
set -eu
. "$(dirname "$0")/common"
id=$1
shift

refused() {
    echo "$2"
    exit "$1"
}

case $id in
upload_*) ;;
*)
    begun=$(curl -sS --fail-with-body -H 'Content-Type: application/json' \
        --data-binary "{\"name\": \"$id\"}" "$url/uploads") || refused $? "$begun"
    echo "$begun" >&2
    id=$(expr "$begun" : '{"id":"\([^"]*\)"')
    ;;
esac
for path in "$@"; do
    file=$(basename "$path")
    # {"name":"FILE","bytes":N,"complete":false} of what has arrived
    arrived=$(curl -sS --fail-with-body "$url/uploads/$id") || refused $? "$arrived"
    part=$(echo "$arrived" | grep -o "{\"name\":\"$file\",[^}]*}" || true)
    case $part in
    *true*) ;;
    *)
        bytes=$(expr "$part" : '.*"bytes":\([0-9]*\)' || true)
        if [ "${bytes:-0}" -gt 0 ] && [ "$bytes" -eq "$(wc -c <"$path")" ]; then
            curl -sS --fail-with-body -X PUT -H "Content-Range: bytes */$bytes" \
                "$url/uploads/$id/files/$file" >&2
        else
            curl -sS --fail-with-body -C "${bytes:-0}" -T "$path" \
                "$url/uploads/$id/files/$file" >&2
        fi
        echo >&2
        ;;
    esac
done
curl -sS --fail-with-body -X POST "$url/uploads/$id/finish"
