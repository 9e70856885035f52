#!/usr/bin/env bash
# The part of `./dev portability` that needs no download and a few seconds: a network trained on Intel's driver without a
# device, its kernels compiled for Intel and AMD.
#   quick.sh BUILD
# Exit: 77 where libdrm-dev or a driver is not installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/fetch.sh" --offline "$1/portability"
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/gpus.py" "$1" --quick
