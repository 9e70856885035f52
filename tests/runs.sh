#!/usr/bin/env bash
# Whole runs on the default device: the same bits whatever interrupts them, scores that do not depend on the batch.
#   runs.sh PROGRAM
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
"$strata" devices | grep -q 'auto takes this one' || { echo "no Vulkan device"; exit 77; }
. "$here/runs_lib.sh"

# ---- One run to compare with, and the same twice ----
expect 0 "" "$strata" train builtin:digits "${common[@]}" --run-dir whole
holds out '^epoch +train_loss +valid_loss +top1 +lr'
[ "$(grep -cE '^ +[1-3] +[0-9.]+ +[0-9.]+ +[0-9.]+ %' out)" = 3 ] || fail "no row for each of 3 epochs: $(cat out)"
[ -s err ] && fail "--quiet and yet: $(cat err)"
[ "$(wc -l < whole/metrics.csv)" = 4 ] || fail "metrics.csv has $(wc -l < whole/metrics.csv) lines"
[ "$(wc -l < whole/steps.jsonl)" = 132 ] || fail "steps.jsonl has $(wc -l < whole/steps.jsonl) lines"
json whole/run.json
[ "$(grep -cE '^epoch [1-3]/3: train loss .*, top1 ' whole/log.txt)" = 3 ] || fail "log.txt: $(cat whole/log.txt)"
expect 0 "" "$strata" train --recipe whole/recipe.yaml --run-dir again --quiet
same whole again
expect 0 "" "$strata" train builtin:digits "${common[@]}" --seed 2 --run-dir seed2
cmp -s whole/checkpoints/last.safetensors seed2/checkpoints/last.safetensors && fail "the seed changes nothing"

# ---- Ctrl-C, SIGTERM, SIGKILL, then --resume ----
begin interrupted 30
kill -INT "$process"
ends 130
holds interrupted.err 'stopping after this step'
holds interrupted.err 'interrupted after step [0-9]+; continue with --resume interrupted'
holds interrupted/run.json '"status": "interrupted"'
holds interrupted/log.txt '^interrupted after step'
[ "$(wc -l < interrupted/steps.jsonl)" -lt 132 ] || fail "the run was over before it was interrupted"
expect 0 "" "$strata" train --resume interrupted --quiet
same whole interrupted
grep -q '"why"' interrupted/run.json && fail "a finished run says why it was interrupted"
begin terminated 50
kill -TERM "$process"
ends 143
expect 0 "resume after step" "$strata" train --resume terminated --progress none
same whole terminated
begin killed 70
kill -KILL "$process"
ends 137
[ "$(wc -l < killed/steps.jsonl)" -lt 132 ] || fail "the run was over before it was killed"
expect 0 "" "$strata" train --resume killed --quiet
same whole killed
[ -z "$(find killed -name '*.tmp')" ] || find killed -name '*.tmp'
begin early 1
kill -KILL "$process"
ends 137
rm -rf early/checkpoints/*
expect 0 "no checkpoint, so from step 0" "$strata" train --resume early --progress none
same whole early
begin twice 20
kill -INT "$process"; sleep 0.01; kill -INT "$process" 2> /dev/null # as timeout does: it means once
ends 130
holds twice/log.txt '^interrupted after step'
expect 0 "" "$strata" train --resume twice --quiet
same whole twice
# Whoever read the table is gone.
"$strata" train builtin:digits "${common[@]}" --run-dir piped 2> err | head -c 1 > out
code=${PIPESTATUS[0]}
[ "$code" = 141 ] || fail "exit code $code with nobody to print to"
holds piped/log.txt '^interrupted after step'
expect 0 "resume after step" "$strata" train --resume piped --progress none
same whole piped
# A step that takes longer than anybody waits is left by a second signal.
"$strata" train builtin:digits --device cpu --model resnet18 --batch 1024 --run-dir slow-step --quiet > out 2> err &
process=$!
until grep -qs '^run ' slow-step/log.txt || ! kill -0 "$process"; do sleep 0.05; done
sleep 0.5; kill -TERM "$process"; sleep 1.5; kill -TERM "$process" # within half a second it is the first again
ends 143
grep -q interrupted slow-step/log.txt && fail "a second signal waits for the step: $(cat slow-step/log.txt)"
rm -r slow-step

# Sums are split for the processor's cores: with fewer of them they are split as they were.
if [ "$(nproc)" -gt 1 ]; then
  begin fewer 20
  kill -INT "$process"
  ends 130
  expect 0 "" taskset -c "$(taskset -cp $$ | grep -oE '[0-9]+' | tail -1)" "$strata" train --resume fewer --progress none
  grep -q 'bits may differ' err && fail "fewer cores: $(cat err)"
  holds fewer/run.json '"split": [0-9]'
  grep -q '"why"' fewer/run.json && fail "a run that is finished says why it is not"
  same whole fewer
fi

# ---- Evaluation ----
for batch in 1 7 64 360; do
  expect 0 "" "$strata" evaluate whole --batch $batch --json --quiet
  json out
  cp out score-$batch
  cmp -s score-1 score-$batch || fail "batch $batch: $(cat score-$batch), batch 1: $(cat score-1)"
done
holds score-1 '"images": 360'
expect 0 "small|llvmpipe|strata" "$strata" evaluate whole/checkpoints/best.safetensors builtin:digits
holds out '^top1 +9[0-9]\.'
expect 0 "" "$strata" evaluate whole --device cpu --json --quiet
json out
# By class: the counts of the matrix, whose diagonal top1 counts; what the run wrote is of the same weights.
expect 0 "" "$strata" evaluate whole --per-class --confusion confusion.csv --quiet
cmp -s confusion.csv whole/confusion.csv || fail "confusion.csv of the run: $(cat whole/confusion.csv), of evaluate: $(cat confusion.csv)"
holds out '^F1 +macro 9[0-9.]+ %, micro 9[0-9.]+ %, samples 9[0-9.]+ %$'
holds out '^mAP +9[0-9.]+ %$'
awk -F, 'NR > 1 { for (i = 2; i <= NF; i++) all += $i; right += $(NR) } END { print all, right }' confusion.csv > counted
awk '/^top1/ { right = $4; sub(/[(]/, "", right) } /^class/ { rows = 1; next } rows { all += $2; counted += $4 }
  END { print all, right; exit right != counted }' out > told || fail "the classes' right answers are not top1's: $(cat out)"
cmp -s counted told || fail "the matrix counts $(cat counted), evaluate $(cat told)"
f=$(python3 -c 'import json; s = json.load(open("score-1")); print("%.9g,%.9g,%.9g,%.9g" % (s["macro"]["f_beta"], s["micro"]["f_beta"], s["samples_f_beta"], s["mean_average_precision"]))')
cut -d, -f21-24 whole/metrics.csv | grep -qx "$f" || fail "metrics.csv has no $f: $(cat whole/metrics.csv)"
expect 0 "" "$strata" train builtin:digits "${common[@]}" --loss sigmoid --best f-samples --run-dir sets --progress none
holds out '^epoch +train_loss +valid_loss +F +lr'
holds sets/log.txt '^epoch 3/3: .*, F1 [0-9.]+ %$'
expect 0 "" "$strata" evaluate sets/checkpoints/best.safetensors builtin:digits --threshold 0.2 --beta 2 --quiet
holds out '^F2 +macro .* \(above 0.2\)$'
expect 0 "" "$strata" train builtin:digits "${common[@]}" --save saved.safetensors --run-dir saving
cmp -s saved.safetensors whole/checkpoints/last.safetensors || fail "--save is not last.safetensors"

# ---- Rates that depend on what was observed: freezes, releases and a plateau, resumed from between them ----
events=(--lr 1e-9:1e-2 --bleed in,p0=0.2,p1=0.4,freeze-below=1e-3 --freeze-until body=1
  --schedule plateau,patience=0,threshold=0.5,factor=0.5,warmup=5)
expect 0 "" "$strata" train builtin:digits "${common[@]}" "${events[@]}" --run-dir events
[ "$(grep -c '"event": "freeze"' events/steps.jsonl)" -ge 2 ] || fail "no freeze: $(grep event events/steps.jsonl)"
holds events/steps.jsonl '"event": "unfreeze", "group": "body", "frozen_nodes": 7'
holds events/log.txt '^rates  adamw, plateau,.*, bleed in,p0=0.2,.*, freeze-until body=1, batch 32, 3 epochs, 132 steps, stem 1e-09'
holds events/steps.jsonl '"event": "record", "frozen_nodes": 7'
[ "$(grep -c '"event": "metric", "metric": "loss"' events/steps.jsonl)" = 2 ] || fail "metrics: $(grep metric events/steps.jsonl)"
holds events/steps.jsonl '"event": "reduce", "group": "head", "value": 0.5'
holds events/metrics.csv '^1,44,.*,0 freeze body$'
holds events/metrics.csv '^2,88,.*,44 freeze stem; 44 unfreeze body$'
holds events/metrics.csv '^3,132,.*88 reduce head'
begin halted 90 "${events[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
expect 0 "" "$strata" train --resume halted --quiet
same events halted

# A validation loss that is no number is no improvement, and no training loss stands for it: images beyond what 32 bits hold
idx_folder beyond
{ head -c 16 beyond/t10k-images-idx3-ubyte; head -c $((20 * 8 * 8)) /dev/zero | tr '\0' '\377'; } > bright
mv bright beyond/t10k-images-idx3-ubyte
sed 's/op: linear, name/op: linear, std: 100, name/' tiny.yaml > wide.yaml
no_number=("$strata" train beyond --device cpu --model wide.yaml --normalize mean=0,std=3e-39 --augment none --batch 20
  --epochs 4 --schedule plateau,factor=0.5,patience=0 --log-every 1 --keep 3 --quiet)
expect 0 "" "${no_number[@]}" --run-dir number
[ "$(grep -c '"event": "metric", "metric": "loss", "value": null' number/steps.jsonl)" = 3 ] || fail "metrics: $(grep event number/steps.jsonl)"
holds number/metrics.csv '^2,4,.*,2 reduce body; 2 reduce head$'
cp number/steps.jsonl whole.jsonl
cp number/checkpoints/step-00000004.state.safetensors number/checkpoints/last.state.safetensors
sed -i 's/"status": "finished"/"status": "interrupted"/' number/run.json
expect 0 "resume after step 4" "$strata" train --resume number --progress none
cmp -s whole.jsonl number/steps.jsonl || fail "resumed: $(cat number/steps.jsonl)"
expect 0 "" "${no_number[@]}" --valid none --run-dir trained
grep -q null trained/steps.jsonl && fail "without validation the training loss is watched: $(grep event trained/steps.jsonl)"

# ---- Every group's rate is said, however long the line gets ----
long=$(printf 'x%.0s' $(seq 120))
for layer in conv1 bn1 conv2 bn2 conv3 bn3 conv4 bn4 fc; do echo "$long.$layer: $layer"; done > long.groups
expect 0 "^rates  .*, $long.conv1 0.00123, .*, $long.fc 0.00123$" "$strata" train builtin:digits --model small-cnn \
  --groups long.groups --lr 0.00123 --steps 1 --valid none --progress none --run-dir long

# ---- Windows that open where a group has settled: killed in the middle of a look's steps, before and after it opens ----
measured=(--lr 1e-4:1e-2 --bleed in,start=measured,settled=2e-2,every=0.05,times=2,p1=0.5)
expect 0 "step [0-9]+: stem has settled" "$strata" train builtin:digits "${common[@]:0:8}" --checkpoint-every 20 "${measured[@]}" \
  --run-dir measured --progress none
[ "$(grep -c '"event": "trigger"' measured/steps.jsonl)" = 3 ] || fail "triggers: $(grep trigger measured/steps.jsonl)"
for steps in 45 65 85; do
  begin settling$steps $steps "${measured[@]}"
  kill -KILL "$process"
  wait "$process" 2> /dev/null
  expect 0 "" "$strata" train --resume settling$steps --quiet
  same measured settling$steps
done

# ---- Groups of a file, which a resumed run does not need ----
printf '# input side first\nfirst: conv1 bn1\nrest: conv* [bn2, bn3, bn4]\nlast: fc\n' > own.groups
expect 2 "own.groups: |both hold conv1.weight" "$strata" train builtin:digits "${common[@]}" --groups ./own.groups
printf '# input side first\nfirst: conv1 bn1\nrest: conv[2, bn2] conv3 bn3 conv4 bn4\nlast: fc\n' > own.groups
expect 2 "own.groups:3: the pattern 'conv' of the group 'rest' matches no layer; did you mean 'conv1'" \
  "$strata" train builtin:digits "${common[@]}" --groups ./own.groups
absent runs
printf '# input side first\nfirst: conv1 bn1\nrest: [conv2, bn2, conv3] bn3 conv4 bn4\nlast: f*\n' > own.groups
own=(--groups own.groups --lr first=1e-4,rest=1e-3,last=1e-2)
expect 0 "3 groups .own." "$strata" train builtin:digits "${common[@]:0:8}" --checkpoint-every 20 "${own[@]}" --run-dir own --progress none
begin grouped 30 "${own[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
rm own.groups
holds grouped/recipe.yaml 'groups: "first: conv1 bn1; rest: conv2 bn2 conv3 bn3 conv4 bn4; last: f\*"'
expect 0 "" "$strata" train --resume grouped --quiet
same own grouped
expect 0 "" "$strata" evaluate grouped/checkpoints/last.safetensors builtin:digits

# ---- The table and the live row tell every group's rate, and what happened to it ----
expect 0 " img/s.* unfreeze stem" "$strata" train builtin:digits --model small-cnn --epochs 2 --lr 1e-4,1e-3,1e-2 --freeze-until stem=1 \
  --run-dir live --progress bar
holds out '^epoch .*  lr\(stem,body,head\)   img/s     time$'
holds out '^    1 .* %        0,[0-9.e-]+,[0-9.e-]+  +[0-9]+ '
holds out '^    2 .* %( +|,)[0-9]\.[0-9]e-0[0-9],[0-9]\.[0-9]e-0[0-9],[0-9]\.[0-9]e-0[0-9]  +[0-9]+ '
expect 0 "" "$strata" train builtin:digits --model small-cnn --epochs 1 --lr 1e-2 --run-dir live --overwrite --quiet
holds out '^    1 .* %  +[0-9]\.[0-9]{2}e-0[0-9]  +[0-9]+ '
# A group of biases has no size: nothing is said of its share of it.
expect 0 "" "$strata" train builtin:digits --model small-cnn --steps 3 --groups "body: conv* bn*; w: fc.weight; b: fc.bias" --opt sgd \
  --run-dir live --overwrite --progress none
holds err '^ +b +10 parameters, rates sum to [0-9.e-]+$'
holds err '^step 3: w moved by '
if grep -qE 'nan|: b moved by' err; then fail "a group of biases: $(cat err)"; fi
expect 0 "" "$strata" rates --model small-cnn --steps 9 --groups "body: conv* bn*; w: fc.weight; b: fc.bias" --csv rates.csv
holds err '^b +10 +0.01 +0.[0-9]+ +- +- +-  0$'
# A wide terminal has room for many.
{
  printf 'name: long\nimage: [8, 8, 1]\nclasses: 10\ngroups:\n  parts:\n'
  for i in {1..18}; do printf '    g%d: [c%d]\n' $i $i; done
  printf 'layers:\n'
  for i in {1..17}; do printf '  - {op: conv2d, name: c%d, out: 1, kernel: 1}\n' $i; done
  printf '  - {op: flatten}\n  - {op: linear, name: c18, out: $classes}\n'
} > long.yaml
script -qec "stty cols 400; '$strata' train builtin:digits --device cpu --model long.yaml --lr 1e-4:1e-2 --steps 1 --run-dir live --overwrite \
  --progress none" /dev/null > out
holds out 'lr.g1,.*,g18. '
holds out '^    1 .* %  +([0-9.e-]+,){17}[0-9.e-]+  +[0-9]+ '

# ---- Rates by the size of the weights that a file gives, which a resumed run does not need ----
cp whole/checkpoints/last.safetensors sized.safetensors
sized=(--init sized.safetensors --lr 0.01@ratio)
expect 0 "" "$strata" train builtin:digits "${common[@]:0:8}" --checkpoint-every 20 "${sized[@]}" --run-dir sized --progress none
[ "$(grep -c '0.6668 times their size$' err)" = 3 ] || fail "rates by size: $(cat err)"
holds sized/recipe.yaml '^lr: "0.00[0-9]+,0.00[0-9]+,0.00[0-9]+"$'
begin resized 30 "${sized[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
rm sized.safetensors
expect 0 "" "$strata" train --resume resized --quiet
same sized resized

# ---- Trust ratios ----
trust=(--opt lamb --lr 1e-5:1e-2 --no-decay norm,bias)
expect 0 "" "$strata" train builtin:digits "${common[@]}" "${trust[@]}" --run-dir trust
begin cut 50 "${trust[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
expect 0 "" "$strata" train --resume cut --quiet
same trust cut
measured=$(grep -c 'step 50: .* moved by' trust/log.txt)
[ "$measured" = 3 ] || fail "log.txt tells what $measured of 3 groups moved by: $(cat trust/log.txt)"
cmp -s <(grep 'moved by' trust/log.txt | sort) <(grep 'moved by' cut/log.txt | sort -u) || fail "a resumed run tells: $(grep 'moved by' cut/log.txt)"
# A group that begins later is told of after its own first steps, also by a run that was killed within them.
late=(--opt lars --lr 1 --freeze-until stem=1,body=90%)
expect 0 "" "$strata" train builtin:digits "${common[@]}" "${late[@]}" --run-dir late
begin lately 70 "${late[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
expect 0 "" "$strata" train --resume lately --quiet
for told in 'step 50: head' 'step 94: stem' 'step 132: body'; do
  [ "$(grep -c "$told moved by" late/log.txt)" = 1 ] || fail "'$told moved by' is not told once: $(grep moved late/log.txt)"
done
cmp -s <(grep 'moved by' late/log.txt | sort) <(grep 'moved by' lately/log.txt | sort -u) || fail "a resumed run tells: $(grep 'moved by' lately/log.txt)"
expect 0 "stem moved by .*: effectively frozen" "$strata" train builtin:digits --model small-cnn --epochs 1 --opt sgd \
  --lr 1e-6:1e-1 --run-dir slow --progress plain
grep 'head moved by' slow/log.txt | grep frozen && fail "the head is not frozen"
holds slow/steps.jsonl '"update": \[([0-9.e-]+, ){8}[0-9.e-]+\]'
holds slow/metrics.csv ',images_per_s,update_conv1,update_bn1,.*,update_fc,valid_f_macro,valid_f_micro,valid_f_samples,valid_map,events$'
[ "$(tail -1 slow/metrics.csv | tr ',' '\n' | tail -14 | grep -cE '^[0-9.e-]+$')" = 13 ] || fail "$(cat slow/metrics.csv)"
holds slow/run.json '"layers": '

# ---- Fine-tuning: the head, then all ----
expect 0 "^finetune is strata train with" "$strata" finetune builtin:digits --init whole/checkpoints/last.safetensors \
  --model small-cnn --epochs 3 --log-every 1 --run-dir tuned --progress none
holds err '^ +schedule +one-cycle,pct=0.99,lr=0.002/10,freeze=-1,for=1ep then one-cycle,pct=0.3,div=5,lr=1e-05:0.001$'
holds err '^init .*: [0-9]+ tensors taken, 0 resized, 0 skipped, 0 missing, 0 surplus'
holds err '^step 22: unfreeze stem'
holds tuned/run.json '"command": "strata finetune '
# Norms of frozen groups that learn on: they have moved after the first phase, weights have not, and that has a price.
expect 0 "" "$strata" finetune builtin:digits --init whole/checkpoints/last.safetensors --model small-cnn --epochs 2 --keep 2 \
  --train-frozen-bn --run-dir normed --progress none
holds err '^step 0: norms of frozen groups learn on: 15 of 18 nodes keep a backward pass for them, 66 % of a whole step.s multiply-adds$'
for tensor in conv1.weight conv4.weight bn1.weight bn4.bias; do
  cmp -s <("$strata" inspect whole/checkpoints/last.safetensors | grep "^$tensor") \
    <("$strata" inspect normed/checkpoints/step-00000022.safetensors | grep "^$tensor")
  echo "$tensor $?"
done > moved
[ "$(tr '\n' ' ' < moved)" = "conv1.weight 0 conv4.weight 0 bn1.weight 1 bn4.bias 1 " ] || fail "what the first phase moved: $(cat moved)"
# Of 200 digits, which are even? Another head than the weights have; guessing is right for half.
expect 0 "" "$strata" data digits each --format png --per-class 20
for file in each/*/*/*.png; do
  IFS=/ read -r _ part digit name <<< "$file"
  mkdir -p parity/$part/$((digit % 2))
  mv "$file" parity/$part/$((digit % 2))/$digit-$name
done
expect 0 "" "$strata" finetune parity --init whole/checkpoints/last.safetensors --model small-cnn --batch 20 --epochs 4 \
  --run-dir parity-run --progress none
holds err '^data +parity: 200 train, 360 valid, 2 classes, 8x8x1'
holds err ' skipped +fc.weight wanted \[2,256\], the file has \[10,256\]'
right=$(tail -1 parity-run/metrics.csv | cut -d, -f6) # valid_top1
awk -v right="$right" 'BEGIN { exit !(right > 0.85) }' || fail "fine-tuned, $right are right of two classes"

# As many classes, of other names: the last layer's rows are of others. By the same names they are not.
mkdir renamed
for part in train valid; do mkdir renamed/$part; cp -r parity/$part/0 renamed/$part/even; cp -r parity/$part/1 renamed/$part/odd; done
again=(--init parity-run --batch 20 --epochs 2 --progress none --overwrite --run-dir renamed-run)
expect 0 "class 0 is '0' to the weights, and 'even' in renamed: the last layer begins anew" "$strata" finetune renamed "${again[@]}"
holds err '^init .*: 20 tensors taken, 0 resized, 2 skipped, 0 missing, 0 surplus'
holds renamed-run/recipe.yaml '^init-head: "new"$'
expect 0 "^init .*: 22 tensors taken, 0 resized, 0 skipped" "$strata" finetune renamed "${again[@]}" --init-head keep
expect 0 "^init .*: 22 tensors taken, 0 resized, 0 skipped" "$strata" finetune parity "${again[@]}"
holds renamed-run/recipe.yaml '^init-head: "keep"$'
expect 0 "" "$strata" lr-find renamed --init parity-run --batch 20 --points 20 --init-head new --csv anew.csv
expect 0 "" "$strata" lr-find renamed --init parity-run --batch 20 --points 20 --csv auto.csv
cmp -s anew.csv auto.csv || fail "lr-find begins with another head than training"

# ---- The last batch ----
expect 0 "" "$strata" train builtin:digits --model small-cnn --batch 64 --last keep --epochs 1 --log-every 1 --run-dir kept --quiet
[ "$(wc -l < kept/steps.jsonl)" = 23 ] || fail "--last keep takes $(wc -l < kept/steps.jsonl) steps, wanted 23"
expect 0 "" "$strata" train builtin:digits --model small-cnn --batch 64 --last keep --epochs 1 --log-every 1 --run-dir kept2 --quiet
same kept kept2
expect 0 "" "$strata" train builtin:digits --model small-cnn --batch 64 --epochs 1 --log-every 1 --run-dir dropped --quiet
bytes() { grep -o '"memory_bytes": [0-9]*' "$1/run.json" | grep -o '[0-9]*'; }
[ "$(bytes kept)" -gt "$(bytes dropped)" ] || fail "the memory of --last keep, $(bytes kept), lacks that of the last batch"
[ "$(wc -l < dropped/steps.jsonl)" = 22 ] || fail "--last drop takes $(wc -l < dropped/steps.jsonl) steps, wanted 22"

# ---- Options of the exact comparison ----
expect 0 "" "$strata" train builtin:digits --model tiny.yaml --steps 5 --valid none --order sequential --augment none --log-every 1 \
  --normalize mean=0.3,std=0.4 --opt sgd --momentum 0.8 --nesterov --weight-decay 5e-2 --lr-groups 1e-3,1e-2 \
  --schedule constant --seed 3 --log-rates --run-dir exact --progress plain
holds out '^ +1 +[0-9.]+ +- +- +1.0e-03,1.0e-02'
[ "$(grep -c '"lr": \[0.001[0-9]*, 0.01[0-9]*\], "mom": 0.8' exact/steps.jsonl)" = 5 ] || fail "steps: $(head -2 exact/steps.jsonl)"
[ "$(wc -l < exact/rates.csv)" = 21 ] || fail "rates.csv has $(wc -l < exact/rates.csv) lines, wanted 4 parameters of 5 steps"
absent exact/checkpoints/best.safetensors

finish
