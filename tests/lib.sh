# What the tests of the command line share. Sourced with the program's path in $1.
set -uo pipefail
strata=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset NO_COLOR CLICOLOR_FORCE FORCE_COLOR STRATA_DEVICE
failures=0

# fail TEXT...
fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# expect CODE PATTERN COMMAND...: the exit code, and a pattern in what goes to stderr ("" for any).
expect() {
  local wanted=$1 pattern=$2 code=0
  shift 2
  "$@" > "$work/out" 2> "$work/err" || code=$?
  if [ "$code" != "$wanted" ]; then
    fail "exit code $code, wanted $wanted: $*"
    cat "$work/err" >&2
  elif [ -n "$pattern" ] && ! grep -qE -- "$pattern" "$work/err"; then
    fail "no '$pattern' on stderr: $*"
    cat "$work/err" >&2
  fi
}

# holds FILE PATTERN
holds() { grep -qE -- "$2" "$1" || fail "no '$2' in $1: $(head -c 2000 "$1")"; }

# absent PATH...: nothing was left there
absent() {
  local path
  for path in "$@"; do [ ! -e "$path" ] || fail "$path is there: $(find "$path" | head -20)"; done
}

# json FILE: is it JSON?
json() {
  command -v python3 > /dev/null || return 0
  python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$1" || fail "$1 is no JSON: $(head -c 300 "$1")"
}

# bytes OCTAL-OR-HEX ESCAPES: to stdout
bytes() { printf "$1"; }

# idx_images FILE N H W, idx_labels FILE N VALUE: files of zeros and of one label
be32() { printf "\\x$(printf %02x $(($1 >> 24 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 & 255)))"; }
idx_images() { { bytes '\0\0\x08\x03'; be32 "$2"; be32 "$3"; be32 "$4"; head -c $(($2 * $3 * $4)) /dev/zero; } > "$1"; }
idx_labels() { { bytes '\0\0\x08\x01'; be32 "$2"; head -c "$2" /dev/zero | tr '\0' "\\$(printf %03o "$3")"; } > "$1"; }

# idx_folder DIR [LABEL]: a whole, useless data set of 40 + 20 images of 8x8
idx_folder() {
  mkdir -p "$1"
  idx_images "$1/train-images-idx3-ubyte" 40 8 8
  idx_images "$1/t10k-images-idx3-ubyte" 20 8 8
  idx_labels "$1/train-labels-idx1-ubyte" 40 "${2:-3}"
  idx_labels "$1/t10k-labels-idx1-ubyte" 20 "${2:-3}"
}

# tiny.yaml: a network that even the reference trains in no time
cat > tiny.yaml <<'YAML'
name: tiny
image: [8, 8, 1]
classes: 10
groups:
  parts:
    body: [conv]
    head: [fc]
layers:
  - {op: conv2d, name: conv, out: 5, kernel: 3, stride: 2, pad: 1}
  - {op: relu}
  - {op: flatten}
  - {op: linear, name: fc, out: $classes}
YAML

finish() {
  [ "$failures" = 0 ] || { echo "$failures failures" >&2; exit 1; }
  echo "all right"
}
