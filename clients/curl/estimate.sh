#!/bin/sh
# What a job would cost, without launching it; arguments as of submit.sh:
# estimate.sh '{"method": "ce", ...}', or estimate.sh RECIPE [NAME=VALUE...]
set -eu
. "$(dirname "$0")/common"
post_spec '/jobs?dry_run=true' "$@"
