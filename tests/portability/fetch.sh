#!/usr/bin/env bash
# Fetches what the other drivers need, unpacked below FOLDER, and builds the Intel shim; nothing is installed, no
# file outside FOLDER is written. What is there is not fetched again.
#   fetch.sh [--offline] FOLDER
# FOLDER/shim     mesa-drm-shim of bookworm-backports (a kernel device that does nothing, for amdgpu) and libdrm-dev
# FOLDER/trixie   Mesa 25 of trixie with all it needs, run by its own ld.so: NVK, which bookworm has not
# FOLDER/libi915shim.so  i915shim.c beside this file: all there is with --offline, where libdrm-dev is installed
# Exit: 77 with the reason where a package cannot be had.
set -euo pipefail
offline=
[ "${1:-}" != --offline ] || { offline=yes; shift; }
folder=$1
mirror=${STRATA_DEBIAN_MIRROR:-http://deb.debian.org/debian}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

skip() { printf 'portability: %s\n' "$*" >&2; exit 77; }

build_shim() { # folder of the kernel's headers
    local source
    source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/i915shim.c
    [ -f "$1/i915_drm.h" ] || skip "no $1/i915_drm.h: libdrm-dev is not installed"
    command -v cc >/dev/null || skip 'no C compiler for the Intel shim'
    [ "$folder/libi915shim.so" -nt "$source" ] || cc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC -isystem "$1" \
        "$source" -o "$folder/libi915shim.so" -ldl -lpthread
}

if [ "$offline" ]; then
    build_shim /usr/include/libdrm
    exit 0
fi

command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip 'no apt-get and dpkg: this is not Debian or a relative'
[ "$(dpkg --print-architecture)" = amd64 ] || skip "the drivers are fetched for amd64, this is $(dpkg --print-architecture)"

# apt-get of one suite, with lists and a status of its own, so that the system's are left alone.
apt() { # folder, suite, arguments
    local at=$1 suite=$2
    shift 2
    mkdir -p "$at/lists/partial" "$at/archives/partial"
    : >>"$at/status"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" >"$at/sources.list"
    (cd "$at/archives" && apt-get -q -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$at/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$at/lists" -o Dir::State::status="$at/status" \
        -o Dir::Cache="$at" -o Dir::Cache::archives="$at/archives" -o Acquire::Languages=none -o Acquire::Retries=2 \
        -o Acquire::http::Timeout=30 -o APT::Get::List-Cleanup=false -o APT::Update::Error-Mode=any "$@") >"$at/log" 2>&1 || {
        sed 's/^/    /' "$at/log" | tail -n 5 >&2
        return 1
    }
}

unpack() { # folder, into
    local deb
    mkdir -p "$2"
    for deb in "$1"/archives/*.deb; do dpkg -x "$deb" "$2"; done
}

if [ ! -f "$folder/shim/done" ]; then
    rm -rf "$folder/shim" "$folder/apt-shim"
    apt "$folder/apt-shim" bookworm-backports update || skip "no package list of bookworm-backports from $mirror"
    apt "$folder/apt-shim" bookworm-backports download mesa-drm-shim || skip 'mesa-drm-shim of bookworm-backports cannot be had'
    apt "$folder/apt-shim" bookworm update || skip "no package list of bookworm from $mirror"
    apt "$folder/apt-shim" bookworm download libdrm-dev || skip 'libdrm-dev cannot be had'
    unpack "$folder/apt-shim" "$folder/shim"
    rm -rf "$folder/apt-shim"
    touch "$folder/shim/done"
fi

if [ ! -f "$folder/trixie/done" ]; then
    rm -rf "$folder/trixie" "$folder/apt-trixie"
    apt "$folder/apt-trixie" trixie update || skip "no package list of trixie from $mirror"
    apt "$folder/apt-trixie" trixie install -y --no-install-recommends --download-only \
        libvulkan1 mesa-vulkan-drivers mesa-drm-shim libc6 zlib1g libgcc-s1 libstdc++6 || skip "trixie's Mesa cannot be had"
    unpack "$folder/apt-trixie" "$folder/trixie"
    rm -rf "$folder/apt-trixie"
    touch "$folder/trixie/done"
fi

build_shim "$folder/shim/usr/include/libdrm"
