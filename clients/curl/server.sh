#!/bin/sh
# Shows the server, in the Open Inference Protocol: server.sh
set -eu
. "$(dirname "$0")/common"
curl -sS --fail-with-body "$url/v2"
