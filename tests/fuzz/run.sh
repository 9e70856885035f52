#!/usr/bin/env bash
# Each fuzzer for a number of seconds, from small good files; then every input that ever broke one.
#   run.sh BUILD SECONDS JOBS [NAME...]
# STRATA_FUZZ_SEED: where the random inputs begin; 0 or none: elsewhere each time.
# Exit code 1 where one finds something: the input lies in BUILD/crashes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(realpath "$1") seconds=$2 jobs=$3
shift 3
names=("$@")
[ $# != 0 ] || for path in "$here"/fuzz_*.c; do
  name=$(basename "$path" .c)
  names+=("${name#fuzz_}")
done
mkdir -p "$build/crashes" "$build/logs"
python3 "$here/seeds.py" "$here/../.." "$build/seeds"

one() {
  local name=$1 program=$build/fuzz_$1 corpus=$build/corpus/$1
  mkdir -p "$corpus"
  STRATA_FUZZ_FOLDER=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
  export STRATA_FUZZ_FOLDER
  trap 'rm -rf "$STRATA_FUZZ_FOLDER"' EXIT # of the subshell this runs in
  if { [ ! -d "$here/crashers/$name" ] || "$program" -runs=0 "$here/crashers/$name"/*; } > "$build/logs/$name" 2>&1 &&
    "$program" -seed="${STRATA_FUZZ_SEED:-0}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=20000 -print_final_stats=1 \
      -artifact_prefix="$build/crashes/$name-" "$corpus" "$build/seeds/$name" >> "$build/logs/$name" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/logs/$name") inputs, nothing found"
  else
    tail -40 "$build/logs/$name" >&2
    echo "$name: FOUND something; see $build/crashes" >&2
    return 1
  fi
}

failed=0
for name in "${names[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || failed=1; done
  one "$name" &
done
while [ "$(jobs -p | wc -l)" -gt 0 ]; do wait -n || failed=1; done
exit $failed
