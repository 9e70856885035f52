#!/usr/bin/env bash
# The operations again on other devices than the default one: subgroups of 4 and 16 (lavapipe), and with --full every
# size of every row, and SwiftShader, a second driver with limits of its own.
#   matrix.sh BUILD [128|512|--full]   vectors of lavapipe in bits; none: both; --full: those and SwiftShader
set -euo pipefail
build=$1
what=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export VK_LAYER_SETTINGS_PATH=$here/sync.txt
[ "$what" = --full ] || export STRATA_TEST_QUICK=1

on() { # name, then the environment of the run
    local name=$1
    shift
    printf -- '---- %s\n' "$name"
    env "$@" "$build/test_rows"
    [ "$what" != --full ] || env "$@" "$build/test_half"
}

# SwiftShader comes inside Debian's chromium-common package; it is unpacked beside the build, nothing is installed.
swiftshader() {
    local folder=$build/swiftshader deb
    if [ ! -f "$folder/icd.json" ]; then
        mkdir -p "$folder"
        (cd "$folder" && apt-get download -q chromium-common) || return 1
        deb=$(ls "$folder"/chromium-common_*.deb)
        dpkg -x "$deb" "$folder" && rm "$deb"
        printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.0.5"}}\n' \
            "$folder/usr/lib/chromium/libvk_swiftshader.so" >"$folder/icd.json"
    fi
    printf '%s\n' "$folder/icd.json"
}

[ "$what" = 512 ] || on 'lavapipe, subgroup 4' LP_NATIVE_VECTOR_WIDTH=128
[ "$what" = 128 ] || on 'lavapipe, subgroup 16' LP_NATIVE_VECTOR_WIDTH=512
if [ "$what" = --full ]; then
    build=$(cd "$build" && pwd)
    icd=$(swiftshader) || { echo 'matrix: SwiftShader could not be had (apt-get download chromium-common)' >&2; exit 1; }
    on SwiftShader VK_ICD_FILENAMES="$icd" VK_DRIVER_FILES="$icd"
fi
