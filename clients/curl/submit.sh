#!/bin/sh
# Launches a job and prints it: submit.sh '{"method": "ce", ...}', or the JSON on standard input; or a
# recipe: submit.sh RECIPE [NAME=VALUE...]
set -eu
. "$(dirname "$0")/common"
post_spec /jobs "$@"
