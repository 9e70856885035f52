#!/usr/bin/env bash
# Runs a program on a driver of a GPU that is not there: compiler, limits and memory types are the driver's own, the
# kernel device below it does nothing, so results are what memory holds.
#   on.sh FOLDER DEVICE PROGRAM ARGUMENT...
# FOLDER is what fetch.sh filled. DEVICE:
#   navi21 navi31 vega10 polaris10 raven      AMD, RADV of the system's Mesa
#   null-navi21 null-vega10                   the same without a kernel device: it only compiles, and has no memory
#   skl tgl dg2 (and others of i915shim.c)    Intel, ANV of the system's Mesa; hsw, bdw: its hasvk
#   tu102 ga102 (turing, ampere)              NVIDIA, NVK of trixie's Mesa
#   null-navi31@trixie tgl@trixie (and others) AMD and Intel by trixie's Mesa, which is newer
# What is trixie's is run by its own ld.so. Exit: the program's; 77 with the reason where a driver is missing.
set -euo pipefail
[ $# -ge 3 ] || { printf 'on.sh FOLDER DEVICE PROGRAM ARGUMENT...\n' >&2; exit 2; }
folder=$(cd "$1" && pwd)
device=$2
shift 2

skip() { printf 'portability: %s\n' "$*" >&2; exit 77; }

export MESA_SHADER_CACHE_DISABLE=true # or statistics come from an older run
root=
[ "${device%@trixie}" = "$device" ] || root=yes
device=${device%@trixie}
case "$device" in ga102 | tu102) root=yes ;; esac
[ -z "$root" ] || root=$folder/trixie/usr/lib/x86_64-linux-gnu

driver() { # stem of its library and of its file in icd.d
    local icd=/usr/share/vulkan/icd.d/$2.x86_64.json
    if [ "$root" ]; then
        icd=$folder/$1.json
        [ -f "$root/libvulkan_$1.so" ] || skip "no libvulkan_$1.so below $folder: fetch.sh"
        printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' \
            "$root/libvulkan_$1.so" >"$icd"
    fi
    [ -f "$icd" ] || skip "no $icd: mesa-vulkan-drivers is not installed"
    export VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd
}

# What the drivers say of the device that does nothing is of no use to a reader.
run() { # library to preload, or nothing; program and arguments
    local preload=$1
    shift
    exec 2> >(grep -v '^DRM_IOCTL_GET_CAP: unhandled\|^Unknown DRM_IOCTL_NOUVEAU\|^ac_compute_device_uuid' >&2)
    [ -z "$root" ] || exec "$root/ld-linux-x86-64.so.2" --library-path "$root:/usr/lib/x86_64-linux-gnu" \
        ${preload:+--preload "$preload"} "$@"
    exec env ${preload:+LD_PRELOAD="$preload"} "$@"
}

case "$device" in
null-*)
    driver radeon radeon_icd
    export RADV_FORCE_FAMILY=${device#null-}
    run '' "$@"
    ;;
navi21 | navi31 | vega10 | polaris10 | raven)
    driver radeon radeon_icd
    shim=${root:-$folder/shim/usr/lib/x86_64-linux-gnu}/libamdgpu_noop_drm_shim.so
    [ -f "$shim" ] || skip "no libamdgpu_noop_drm_shim.so below $folder: fetch.sh"
    export AMDGPU_GPU_ID=$device
    run "$shim" "$@"
    ;;
tu102 | ga102)
    driver nouveau ''
    export NOUVEAU_CHIPSET=162 # hexadecimal, of the TU102
    [ "$device" = tu102 ] || NOUVEAU_CHIPSET=172
    run "$root/libnouveau_noop_drm_shim.so" "$@"
    ;;
*)
    case "$device" in hsw | bdw | ivb) driver intel_hasvk intel_hasvk_icd ;; *) driver intel intel_icd ;; esac
    [ -f "$folder/libi915shim.so" ] || skip "no $folder/libi915shim.so: it is built from i915shim.c"
    export I915_SHIM_GPU=$device
    run "$folder/libi915shim.so" "$@"
    ;;
esac
