#!/bin/sh
# Puts what pip's wheels have of cuDNN 9 and cuBLASLt 13 into build/cudnn: `cudnn.sh headers` to
# compile the CUDA module, `cudnn.sh libraries` to make plans without a GPU too (some 1.1 GB).
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
headers | libraries) packages="nvidia-cudnn-cu13==9.19.0.56 nvidia-cublas==13.1.*" ;;
*) echo "usage: cudnn.sh headers|libraries" >&2; exit 2 ;;
esac

folder=build/cudnn
unfinished=$folder.new
rm -rf "$unfinished"
mkdir -p build
echo "cudnn: fetching $packages (large)"
python3 -m venv "$unfinished/venv"
# shellcheck disable=SC2086
"$unfinished/venv/bin/pip" install --quiet --no-deps --no-compile --target "$unfinished" $packages
rm -rf "$unfinished/venv"
[ "$1" = libraries ] || rm -rf "$unfinished/nvidia/cudnn/lib" "$unfinished/nvidia/cu13/lib"
rm -rf "$folder"
mv "$unfinished" "$folder"
