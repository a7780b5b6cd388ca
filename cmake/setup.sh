#!/bin/sh
# Installs what is missing: `setup.sh build` the packages to build and run, `setup.sh build test`
# those for tests too, `setup.sh build demo` those for the demo, `setup.sh build test fuzz` those to
# fuzz. Does nothing, and needs no root, when everything is there.
set -eu

build_packages="build-essential cmake ninja-build pkg-config curl ca-certificates
    libmicrohttpd-dev libjansson-dev libhiredis-dev libdnnl-dev zlib1g-dev libturbojpeg0-dev
    libpng-dev libcurl4-gnutls-dev libgnutls28-dev redis-server python3-venv"
test_packages="clang clang-format clang-tidy libomp-dev python3 python3-venv python3-numpy
    python3-torch python3-yaml python3-httpx python3-pil python3-pytest shellcheck jq wrk spin
    libfaketime iproute2"
fuzz_packages="libclang-rt-dev llvm"
demo_packages="jq"
demo_extras="dataset-fashion-mnist" # not in every distribution; the demo downloads it then

missing() {
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            printf '%s ' "$package"
    done
}

# Those that the package lists know.
available() {
    for package in "$@"; do
        ! apt-cache show "$package" >/dev/null 2>&1 || printf '%s ' "$package"
    done
}

# The headers of cuDNN and cuBLASLt, which the CUDA module is compiled with, out of the wheels that
# have them. Only where there is nvcc; without them the build leaves the module out and says so.
has_header() {
    for folder in /usr/include /usr/include/*-linux-gnu /usr/local/cuda/include \
        "${CUDNN_INCLUDE_DIR:-}" "${CUBLASLT_INCLUDE_DIR:-}" build/cudnn/nvidia/*/include; do
        [ ! -e "$folder/$1" ] || return 0
    done
    return 1
}

cudnn_headers() {
    command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] || return 0
    if has_header cudnn_graph.h && has_header cublasLt.h; then
        return 0
    fi
    cmake/cudnn.sh headers || echo "setup: no headers of cuDNN, the CUDA module is left out" >&2
}

# What GET /docs shows the contract with. Without it the server says so.
swagger_ui() {
    [ -e build/swagger-ui ] || cmake/swagger_ui.sh ||
        echo "setup: no Swagger UI, GET /docs will not show the contract" >&2
}

wheels() {
    swagger_ui
    [ -z "$headers" ] || cudnn_headers
}

wanted="" extras="" headers=""
for kind in "$@"; do
    case $kind in
    build) wanted="$wanted $build_packages" ;;
    test) wanted="$wanted $test_packages" headers=1 ;;
    fuzz) wanted="$wanted $fuzz_packages" ;;
    demo) wanted="$wanted $demo_packages" extras=$demo_extras ;;
    *) echo "setup.sh: unknown part $kind" >&2; exit 2 ;;
    esac
done

if ! command -v apt-get >/dev/null; then
    echo "setup: this is not Debian or Ubuntu; please install: $wanted" >&2
    exit 0
fi
# shellcheck disable=SC2086
packages=$(missing $wanted) extras=$(missing $extras)
# shellcheck disable=SC2086
if [ -z "$packages$(available $extras)" ]; then
    wheels
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null; then
        [ -n "$packages" ] || exit 0 # extras can be done without
        echo "setup: needs root or sudo to install: $packages" >&2
        exit 1
    fi
fi
log=$(mktemp)
install() {
    # RUNLEVEL=1: the package's own redis-server is not wanted and must not be started.
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -q --no-install-recommends $packages >"$log" 2>&1
}
$as_root apt-get update -q >"$log" 2>&1 || { cat "$log"; exit 1; }
# shellcheck disable=SC2086
packages="$packages$(available $extras)"
echo "setup: installing $packages"
install || { cat "$log"; rm -f "$log"; exit 1; }
rm -f "$log"
wheels
