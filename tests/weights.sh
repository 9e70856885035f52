#!/usr/bin/env bash
# Weights files of other programs, as a user meets them: what is told, what is written, what is refused.
#   weights.sh PROGRAM
golden=$(realpath "$(dirname "$0")/golden")
. "$(dirname "$0")/lib.sh"

# ---- Inspect ----
expect 0 "" "$strata" inspect "$golden/views.pth"
holds out '^taken from the entry  state_dict$'
holds out '^prefix removed  module\.$'
holds out '^turned +F32 +\[6,4,5\] +120 '

# ---- Convert ----
# tables FILE: what inspect says of the tensors, sorted
tables() { "$strata" inspect "$1" | grep -E '^(tensor|[a-z.0-9]+ +[A-Z0-9]+ +\[)' | sort; }
expect 0 "" "$strata" convert "$golden/views.pth" views.safetensors
holds out '^module\.turned -> turned  \[6,4,5\]  F32$'
holds out '^module\.half -> half  \[40\]  F16 -> F32$'
holds out '^module\.long -> long  \[2\]  I64$'
holds out '^views.safetensors: 57 tensors, 57 renamed, 3 of another type$'
expect 0 "" "$strata" convert "$golden/views.safetensors" other.safetensors
cmp -s views.safetensors other.safetensors || fail "the same tensors from .pth and .safetensors differ"
for dtype in f16 bf16; do
  expect 0 "" "$strata" convert views.safetensors $dtype.safetensors --dtype $dtype
  holds out "^whole  \[120\]  F32 -> ${dtype^^}$"
  expect 0 "" "$strata" convert $dtype.safetensors back.safetensors --dtype f32
  expect 0 "" "$strata" convert back.safetensors back.safetensors --dtype $dtype # in place
  cmp -s back.safetensors $dtype.safetensors || fail "$dtype is not its own rounding"
done
expect 2 "^strata: --dtype wants f32, f16 or bf16, got 'f8'" "$strata" convert views.safetensors x.safetensors --dtype f8
expect 2 "x.pth: wanted a name that ends in .safetensors" "$strata" convert views.safetensors x.pth
for word in "$golden/ops.onnx" "$golden/make_golden.py"; do # another kind of file is told as one, not as cut short
  for command in "inspect $word" "convert $word x.safetensors" "evaluate $word" "predict $word x.png"; do
    expect 4 "${word##*/}: .*; wanted a .safetensors file, or a .pth that torch.save wrote$" \
      "$strata" $command
  done
done
absent x.safetensors
expect 4 "nowhere.pth" "$strata" convert nowhere.pth x.safetensors
head -c 4000 "$golden/views.pth" > cut.pth
expect 4 "cut.pth: .*was it cut short" "$strata" convert cut.pth x.safetensors
header='{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '
{ bytes '\x38\0\0\0\0\0\0\0'; bytes "$header"; bytes '\0\0\x80\x47'; } > large.safetensors # 65536
expect 4 "1 values of tensor 'a' are too large for F16" "$strata" convert large.safetensors x.safetensors --dtype f16
expect 0 "" "$strata" convert large.safetensors y.safetensors --dtype bf16
absent x.safetensors x.pth

# ---- Export ----
idx_folder good
expect 0 "" "$strata" train --quiet --device cpu --model tiny.yaml --steps 2 --run-dir run good
expect 0 "" "$strata" export run one.onnx
holds out '^one.onnx: input \[N,1,8,8\] normalised, output \[N,10\], 4 tensors'
expect 0 "" "$strata" export run/checkpoints/last.safetensors two.onnx --model tiny.yaml
cmp -s one.onnx two.onnx || fail "a run and its weights give different files"
expect 0 "" "$strata" export run three.onnx --with-normalize
holds out 'pixels in \[0,1\]'
grep -q class_names three.onnx || fail "no class names in the metadata"
expect 2 "run.pb: wanted a name that ends in .onnx" "$strata" export run run.pb
sed 's/out: 5/out: 6/' tiny.yaml > other.yaml
expect 2 "conv.weight.*wanted \[6,1,3,3\], the file has \[5,1,3,3\]" \
  "$strata" export run no.onnx --model other.yaml
absent run.pb no.onnx

finish
