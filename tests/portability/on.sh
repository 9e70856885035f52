#!/usr/bin/env bash
# Runs a program on a driver of a GPU that is not there: compiler, limits and memory types are the driver's own, the
# kernel device below it does nothing, so results are what memory holds.
#   on.sh FOLDER DEVICE PROGRAM ARGUMENT...
# FOLDER is what fetch.sh filled. DEVICE:
#   navi21 navi31 vega10 polaris10 raven      AMD, RADV of the system's Mesa
#   null-navi21 null-vega10                   the same without a kernel device: it only compiles, and has no memory
#   skl tgl dg2 (and others of i915shim.c)    Intel, ANV of the system's Mesa; hsw, bdw: its hasvk
#   tu102 ga102 (turing, ampere)              NVIDIA, NVK of trixie's Mesa, run by trixie's ld.so
# Exit: the program's; 77 with the reason where a driver is missing.
set -euo pipefail
[ $# -ge 3 ] || { printf 'on.sh FOLDER DEVICE PROGRAM ARGUMENT...\n' >&2; exit 2; }
folder=$(cd "$1" && pwd)
device=$2
shift 2

skip() { printf 'portability: %s\n' "$*" >&2; exit 77; }

export MESA_SHADER_CACHE_DISABLE=true # or statistics come from an older run
icds=/usr/share/vulkan/icd.d
shim=$folder/shim/usr/lib/x86_64-linux-gnu
case "$device" in
null-*)
    icd=$icds/radeon_icd.x86_64.json
    [ -f "$icd" ] || skip "no $icd: mesa-vulkan-drivers is not installed"
    export RADV_FORCE_FAMILY=${device#null-} VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd
    exec "$@"
    ;;
navi21 | navi31 | vega10 | polaris10 | raven)
    icd=$icds/radeon_icd.x86_64.json
    [ -f "$icd" ] || skip "no $icd: mesa-vulkan-drivers is not installed"
    [ -f "$shim/libamdgpu_noop_drm_shim.so" ] || skip "no libamdgpu_noop_drm_shim.so below $folder: fetch.sh"
    export AMDGPU_GPU_ID=$device VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd
    # Its one complaint, about a capability that nothing here asks for, is of no use to a reader.
    exec env LD_PRELOAD="$shim/libamdgpu_noop_drm_shim.so" "$@" 2> >(grep -v '^DRM_IOCTL_GET_CAP: unhandled' >&2)
    ;;
tu102 | ga102)
    root=$folder/trixie/usr/lib/x86_64-linux-gnu
    [ -f "$root/libvulkan_nouveau.so" ] || skip "no libvulkan_nouveau.so below $folder: fetch.sh"
    printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' \
        "$root/libvulkan_nouveau.so" >"$folder/nouveau.json"
    export VK_ICD_FILENAMES=$folder/nouveau.json VK_DRIVER_FILES=$folder/nouveau.json
    export NOUVEAU_CHIPSET=162 # hexadecimal, of the TU102
    [ "$device" = tu102 ] || NOUVEAU_CHIPSET=172
    exec "$root/ld-linux-x86-64.so.2" --library-path "$root:/usr/lib/x86_64-linux-gnu" \
        --preload "$root/libnouveau_noop_drm_shim.so" "$@"
    ;;
*)
    icd=$icds/intel_icd.x86_64.json
    case "$device" in hsw | bdw | ivb) icd=$icds/intel_hasvk_icd.x86_64.json ;; esac
    [ -f "$icd" ] || skip "no $icd: mesa-vulkan-drivers is not installed"
    [ -f "$folder/libi915shim.so" ] || skip "no $folder/libi915shim.so: it is built from i915shim.c"
    export I915_SHIM_GPU=$device VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd
    exec env LD_PRELOAD="$folder/libi915shim.so" "$@"
    ;;
esac
