#!/usr/bin/env bash
# Shaders from a folder: used without a build, told of with their line, refused where they do not fit; and a wrong
# one is found by the doctor.
#   shaders.sh PROGRAM
source=$(realpath "$(dirname "$0")/..")
. "$(dirname "$0")/lib.sh"
"$strata" devices | grep -q 'auto takes this one' || { echo "no Vulkan device"; exit 77; }
train=("$strata" train builtin:digits --quiet --model tiny.yaml --steps 1 --shader-dir shaders)

# edited FILE SED: the shaders of the source tree, one of them changed
edited() {
  rm -rf shaders
  cp -r "$source/shaders" shaders
  sed -i "$2" "shaders/$1"
  cmp -s "shaders/$1" "$source/shaders/$1" && fail "$2 changes nothing in $1"
}

edited activation.comp '$a// a comment'
expect 0 "" "${train[@]}" --run-dir same
expect 0 "" "$strata" train builtin:digits --quiet --model tiny.yaml --steps 1 --run-dir built-in
cmp -s same/checkpoints/last.safetensors built-in/checkpoints/last.safetensors || fail "a comment changes the weights"
line=$(grep -n '^void main' "$source/shaders/activation.comp" | cut -d: -f1)
edited activation.comp 's/^void main()/void main(nothing)/'
expect 1 "activation.comp:$line: " "${train[@]}" --run-dir run
absent run
edited activation.comp 's/float slope;/float slope, planted;/'
expect 1 "planted" "${train[@]}" --run-dir run
absent run
edited softmax_loss.comp 's/\blogits\b/scores/g'
expect 1 "scores|logits" "${train[@]}" --run-dir run
expect 4 "no_such_folder" "$strata" train builtin:digits --shader-dir no_such_folder --run-dir run
absent run

edited add.comp 's/AT(x0, i) + AT(x1, i)/AT(x0, i) + 1.001 * AT(x1, i)/'
expect 1 "checks failed.*first add" "$strata" doctor --quiet --shader-dir shaders
holds out '^FAIL  add '
grep -E '^FAIL' out | grep -qvE '^FAIL  (add|training step) ' && fail "others failed too: $(grep FAIL out)"

finish
