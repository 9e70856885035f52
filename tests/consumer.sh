#!/usr/bin/env bash
# Builds tests/consumer/train.c with an installed Strata alone: by pkg-config against the static and the shared
# library, by find_package(Strata) against both, and trains with each.
#   consumer.sh BUILD SOURCE
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" > "$work/install.txt"
library=$(dirname "$(find "$work/prefix" -name libstrata.a)")
export PKG_CONFIG_PATH=$library/pkgconfig
flags=(-std=c11 -Wall -Wextra -Wconversion -Werror "$source/tests/consumer/train.c")

fail() { echo "FAILED: $*" >&2; exit 1; }

# The interface is what the headers declare: every public function is exported, and nothing else.
declared=$(grep -ohE 'strata_[a-z_0-9]+\(' "$source"/include/strata/*.h | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library/libstrata.so" | awk '{ print $3 }' | sort -u)
for name in $exported; do
  grep -qx "$name" <<< "$declared" || fail "libstrata.so exports $name, which no public header declares"
done
for name in $(grep -hE '^STRATA_API' "$source"/include/strata/*.h | grep -oE 'strata_[a-z_0-9]+\(' | tr -d '('); do
  grep -qx "$name" <<< "$exported" || fail "libstrata.so does not export $name"
done

gcc "${flags[@]}" -o "$work/shared" $(pkg-config --cflags --libs strata)
gcc "${flags[@]}" -o "$work/static" $(pkg-config --static --cflags --libs strata | sed 's/-lstrata\b/-l:libstrata.a/')
cmake -G Ninja -S "$source/tests/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" > "$work/configure.txt" ||
  fail "$(cat "$work/configure.txt")"
cmake --build "$work/build" > "$work/made.txt" || fail "$(cat "$work/made.txt")"

export LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
for program in "$work/shared" "$work/static" "$work/build/consumer_strata" "$work/build/consumer_static"; do
  linked=$(ldd "$program" | grep -c libstrata.so || true)
  case $program in *static) wanted=0 ;; *) wanted=1 ;; esac
  [ "$linked" = "$wanted" ] || fail "$program links libstrata.so $linked times, wanted $wanted"
  "$program" "${STRATA_DEVICE:-auto}" || fail "$program ended with $?"
done
"$work/prefix/bin/strata" --version
[ -s "$work/prefix/share/man/man1/strata.1" ] || fail "no man page"
