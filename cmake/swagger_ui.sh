#!/bin/sh
# Puts Swagger UI, which GET /docs shows the contract with, into build/swagger-ui. It comes from the
# wheel that has its distribution, since Debian has no package of it.
set -eu
cd "$(dirname "$0")/.."
package="drf-spectacular-sidecar==2026.10.1"
folder=build/swagger-ui
unfinished=$folder.new
rm -rf "$unfinished"
mkdir -p build
python3 -m venv "$unfinished/venv"
"$unfinished/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile \
    --target "$unfinished/wheel" "$package"
mv "$unfinished"/wheel/drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist/* \
    "$unfinished"
rm -rf "$unfinished/venv" "$unfinished/wheel" "$folder"
mv "$unfinished" "$folder"
