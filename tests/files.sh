#!/usr/bin/env bash
# What bad files get: the exit code, a message that names the file and what was wanted, and nothing half-written.
#   files.sh PROGRAM
golden=$(realpath "$(dirname "$0")")/golden/pictures
. "$(dirname "$0")/lib.sh"
train=("$strata" train --quiet --device cpu --model tiny.yaml --steps 2 --run-dir run)

# refused CODE PATTERN DATA [OPTION...]: a training run that must not begin
refused() {
  expect "$1" "$2" "${train[@]}" "${@:3}"
  absent run
}

# ---- A good set, and a run and weights for what follows ----
idx_folder good
expect 0 "" "${train[@]}" good
weights=first/checkpoints/last.safetensors
mv run first
for file in recipe.yaml run.json metrics.csv steps.jsonl log.txt checkpoints/last.safetensors; do
  [ -s "first/$file" ] || fail "the run has no $file"
done
json first/run.json

# ---- IDX ----
# broken NAME: a copy of the good set to damage
broken() { rm -rf bad; cp -r good bad; }
broken; head -c 1000 good/train-images-idx3-ubyte > bad/train-images-idx3-ubyte
refused 4 "bad/train-images-idx3-ubyte.*truncated" bad
broken; head -c 10 good/t10k-labels-idx1-ubyte > bad/t10k-labels-idx1-ubyte
refused 4 "bad/t10k-labels-idx1-ubyte" bad
broken; cp good/train-labels-idx1-ubyte bad/train-images-idx3-ubyte
refused 4 "bad/train-images-idx3-ubyte: wanted magic 00000803.*came 00000801" bad
broken; idx_labels bad/train-labels-idx1-ubyte 39 3
refused 4 "bad/train-labels-idx1-ubyte: wanted 40 labels.*came 39" bad
broken; idx_labels bad/train-labels-idx1-ubyte 40 77
refused 4 "bad/train-labels-idx1-ubyte.*label 77" bad
broken; rm bad/t10k-images-idx3-ubyte
refused 4 "bad lacks t10k-images-idx3-ubyte" bad
broken; idx_images bad/t10k-images-idx3-ubyte 20 9 8
refused 4 "wanted the same" bad
broken; gzip bad/train-images-idx3-ubyte; head -c 40 bad/train-images-idx3-ubyte.gz > cut; mv cut bad/train-images-idx3-ubyte.gz
refused 4 "bad/train-images-idx3-ubyte.gz" bad
refused 4 "data \"nowhere\" is not there" nowhere
refused 2 "builtin:digitz" builtin:digitz
mkdir empty
refused 4 "empty holds no data set" empty

# ---- The loss of a score is the run's own, smoothed or not, also of weights without their run ----
for smoothing in 0 0.2; do
  expect 0 "" "${train[@]}" good --steps 4 --label-smoothing $smoothing --overwrite
  told=$(tail -1 run/metrics.csv | cut -d, -f5) # valid_loss
  for scored in "run" "run/checkpoints/best.safetensors good --model tiny.yaml"; do
    expect 0 "" "$strata" evaluate $scored --device cpu --quiet --json
    [ "$(sed 's/.*"loss": \([^,]*\).*/\1/' out | xargs printf %.9g)" = "$told" ] ||
      fail "smoothed by $smoothing the run says $told, evaluate $scored: $(head -c 80 out)"
  done
  expect 0 "" "$strata" inspect run
  [ "$(grep -c '^label-smoothing  0.2$' out)" = "${smoothing/0.2/1}" ] || fail "smoothed by $smoothing: $(head out)"
done
expect 0 "" "$strata" evaluate run --device cpu --quiet --label-smoothing 0
awk -v told="$told" '$1 == "loss" { exit !(told - $2 > 1e-3) }' out || fail "smoothed it is $told, plain cross-entropy: $(cat out)"
rm -rf run

# ---- CIFAR-10 ----
mkdir cifar
for i in 1 2 3 4 5; do head -c 6146 /dev/zero > "cifar/data_batch_$i.bin"; done
head -c 6146 /dev/zero > cifar/test_batch.bin
truncated=$((3073 + 7))
head -c $truncated /dev/zero > cifar/data_batch_3.bin
refused 4 "cifar/data_batch_3.bin.*3073.*7 of them left over" cifar
{ bytes '\x63'; head -c 6145 /dev/zero; } > cifar/data_batch_3.bin
refused 4 "cifar/data_batch_3.bin.*label 99" cifar

# ---- Folders of pictures: what is bad is named once and left out, and the run goes on ----
for class in a b; do
  mkdir -p pictures/train/$class pictures/valid/$class
  for i in 0 1 2 3 4 5 6 7; do cp "$golden/rgb.png" "pictures/train/$class/$i.png"; done
  cp "$golden/smooth.jpg" pictures/valid/$class/x.jpg
done
head -c 200 "$golden/rgb.png" > pictures/train/a/corrupt.png
: > pictures/train/a/nothing.jpeg
# A baseline JPEG of 6000 x 5000 grey pixels: two bits a block, each a code of its own table, are all 0.
{
  bytes '\xff\xd8\xff\xdb\0\x43\0'
  head -c 64 /dev/zero | tr '\0' '\001'
  bytes '\xff\xc0\0\x0b\x08\x13\x88\x17\x70\x01\x01\x11\0'
  for table in '\0' '\x10'; do bytes "\xff\xc4\0\x14$table\x01"; head -c 16 /dev/zero; done
  bytes '\xff\xda\0\x08\x01\x01\0\0\x3f\0'
  head -c $((750 * 625 * 2 / 8 + 1)) /dev/zero
  bytes '\xff\xd9'
} > pictures/train/b/huge.jpg
ln -s vanished pictures/train/b/vanishing.gif
touch pictures/train/b/movie.mp4
# While the last picture is looked at, the first ones go and change: a pipe holds the run up until they have.
for name in leaves changes; do cp "$golden/rgb.png" pictures/train/a/$name.png; done
mkfifo pictures/valid/b/z.png
{
  exec 3> pictures/valid/b/z.png # waits for the run
  rm pictures/train/a/leaves.png pictures/valid/b/z.png
  cp "$golden/grey.png" pictures/train/a/changes.png
  cp "$golden/rgb.png" pictures/valid/b/z.png
  cat "$golden/rgb.png" >&3
} &
expect 0 "" "$strata" train pictures --device cpu --model tiny.yaml --size 8 --channels 1 --steps 2 --data-threads 1 --run-dir run
kill $! 2> /dev/null # it still waits where the run did not come so far
wait
rm pictures/train/a/changes.png pictures/valid/b/z.png
for name in corrupt.png nothing.jpeg huge.jpg vanishing.gif leaves.png changes.png movie.mp4; do
  [ "$(grep -c "skip .*$name" err)" = 1 ] || fail "$name is not named once: $(cat err)"
  [ "$(grep -c "skip .*$name" run/log.txt)" = 1 ] || fail "$name is not once in the log"
done
holds err 'leaves.png: No such file'
holds err 'changes.png was changed while it was read'
holds err 'huge.jpg: 6000 x 5000 pixels are more than the 25000000'
holds err 'data +pictures: 16 train, 3 valid, 2 classes, 8x8x1'
expect 0 "" "$strata" evaluate run --device cpu

# Windows of another size are taken of pictures that are kept larger; what scores and predicts takes the middle.
expect 0 "images 8x8 of them" "$strata" train pictures --device cpu --model tiny.yaml --size 8 --channels 1 --batch 8 --steps 2 \
  --augment imagenet,rotate=10,mixup=0.4 --run-dir larger
holds err 'data +pictures: .*, 9x9x1'
holds larger/recipe.yaml '^stored-size: "9x9"'
python3 -c 'import json; assert json.load(open("larger/run.json"))["data"]["image"] == [8, 8, 1]' || fail "the run is of other images"
expect 0 "" "$strata" evaluate larger --device cpu
expect 0 "" "$strata" evaluate larger/checkpoints/last.safetensors pictures --device cpu --model tiny.yaml
expect 0 "" "$strata" predict larger pictures/train/a/0.png --device cpu
# They are not where no size was asked for, or of images that are no pictures; then nothing is cut off of what is scored.
for data in pictures good; do
  expect 0 "" "$strata" train $data --device cpu --model tiny.yaml --channels 1 --batch 8 --steps 2 --augment resized --run-dir whole --overwrite
  weights_of_it=whole/checkpoints/best.safetensors
  expect 0 "" "$strata" evaluate whole --device cpu --quiet --json
  mv out run.scores
  expect 0 "" "$strata" evaluate $weights_of_it $data --device cpu --quiet --json
  cmp -s run.scores out || fail "$data: a run scores $(cat run.scores), its weights $(cat out)"
  expect 0 "" "$strata" predict whole pictures/train/a/0.png --device cpu
  mv out run.guesses
  expect 0 "" "$strata" predict $weights_of_it pictures/train/a/0.png --device cpu
  cmp -s run.guesses out || fail "$data: a run says $(cat run.guesses), its weights $(cat out)"
done
expect 2 "--size 16 is of pictures: the images of good are 8x8, as they are" "$strata" train good --device cpu --model tiny.yaml --size 16 --run-dir none
expect 2 "--channels 3 is of pictures: the images of good have 1" "$strata" train good --device cpu --model tiny.yaml --channels 3 --run-dir none
mkdir -p single/train/a
for i in 1 2 3; do cp pictures/train/a/0.png single/train/a/$i.png; done
expect 4 "single: all images are of one class, 'a': softmax has nothing to tell apart" "$strata" train single --device cpu --model tiny.yaml --size 8 --channels 1 --run-dir none
expect 0 "" "$strata" train single --loss sigmoid --device cpu --model tiny.yaml --size 8 --channels 1 --steps 1 --valid none --run-dir whole --overwrite
grep '^valid ' err && fail "a run that wants no validation is told of it"
expect 0 "^valid  there is no image for validation: no epoch gets a score" "$strata" train single --valid-fraction 0 --loss sigmoid --device cpu \
  --model tiny.yaml --size 8 --channels 1 --steps 1 --run-dir whole --overwrite
expect 0 "" "$strata" train good --device cpu --model tiny.yaml --size 8 --stored-size 12 --steps 2 --run-dir whole --overwrite
holds whole/recipe.yaml '^stored-size: "8x8"'
expect 0 "" "$strata" data show pictures --size 8 --stored-size 12 --augment fastai,cutmix=1 --images 4 --out grid.png
expect 2 "stored-size wants --size" "$strata" train pictures --stored-size 12 --run-dir none
expect 2 "at least --size, 8x8, got 7x9" "$strata" train pictures --size 8 --stored-size 7x9 --run-dir none
expect 2 "no 'rotat' .character 6.; did you mean rotate" "$strata" train pictures --size 8 --augment flip,rotat=3 --run-dir none
absent none
expect 0 "" "$strata" data info pictures --size 8
holds out '^skipped +5$'
expect 0 "" "$strata" data info pictures --size 8 --max-pixels 30000000
holds out '^skipped +4$'
expect 0 "" "$strata" data info pictures --json
json out
expect 0 "skip .*corrupt.png" env XDG_CACHE_HOME="$PWD/cache" "$strata" data cache pictures --size 8
holds out '^.*/cache/strata/pixels-[0-9a-f]{16}: 18 images of 8x8x3'
expect 0 "" env -u XDG_CACHE_HOME HOME="$PWD/not/yet" "$strata" data cache pictures --size 8
holds out 'not/yet/.cache/strata/pixels-[0-9a-f]{16}: 18 images of 8x8x3'
expect 4 "strata: cannot make folder .*/tiny.yaml/strata: .* is a file" env XDG_CACHE_HOME="$PWD/tiny.yaml" "$strata" \
  data cache pictures --size 8
expect 0 "" env XDG_CACHE_HOME="$PWD/cache" "$strata" data info pictures --size 8
holds out '^pixels .*/cache/strata/pixels-'
expect 4 'cannot write .*/full/strata/pixels-.*: File too large; 7744 bytes of pixels wanted' env XDG_CACHE_HOME="$PWD/full" \
  bash -c "trap '' XFSZ; ulimit -f 4; exec \"\$@\"" full "$strata" data cache pictures --size 8
[ -z "$(ls full/strata | grep pixels)" ] || fail "left behind: $(ls full/strata)"
expect 0 '^cache  its pixels are mapped from .*/cache/strata/pixels-' env XDG_CACHE_HOME="$PWD/cache" "$strata" train pictures \
  --size 8 --device cpu --model small-cnn --steps 1 --batch 4 --run-dir cached
expect 0 "" env XDG_CACHE_HOME="$PWD/cache" "$strata" data cache pictures --size 8 --augment imagenet
holds out '[0-9] images of 9x9x3'
expect 0 '^cache  its pixels are mapped from .*/cache/strata/pixels-' env XDG_CACHE_HOME="$PWD/cache" "$strata" train pictures \
  --size 8 --augment imagenet --device cpu --model small-cnn --steps 1 --batch 4 --run-dir cached --overwrite
expect 0 "" "$strata" predict run pictures/valid/a/x.jpg --device cpu
mv pictures/train/b pictures/train/c; mv pictures/valid/b pictures/valid/c
expect 0 "class 1 is 'b' to the weights, and 'c' in pictures" "$strata" evaluate run pictures --device cpu
mv pictures/train/c pictures/train/b; mv pictures/valid/c pictures/valid/b
expect 0 "" "$strata" evaluate run pictures --device cpu
if grep -q "to the weights" err; then fail "names are the same: $(cat err)"; fi
# Files of one name in all classes are parted by their path; of a run that was parted by name, before there was a
# choice, recipe and weights say nothing, and it goes on, and is evaluated, as it was.
for class in a b c; do mkdir -p twins/$class; for i in 0 1 2 3 4 5 6 7; do cp "$golden/rgb.png" twins/$class/$i.png; done; done
named=(--device cpu --model small-cnn --size 8 --batch 2 --valid-fraction 0.5)
expect 0 "" "$strata" train twins "${named[@]}" --valid-by name --steps 2 --run-dir byname
data=$(grep '"fingerprint"' byname/run.json)
expect 0 "" "$strata" train twins "${named[@]}" --steps 2 --run-dir bypath
[ "$data" != "$(grep '"fingerprint"' bypath/run.json)" ] || fail "by path and by name: $data"
sed -i '/^valid-by/d' byname/recipe.yaml
sed -i 's/"status": "finished"/"status": "interrupted"/' byname/run.json
expect 0 "resume after step 2" "$strata" train --resume byname
expect 0 "" "$strata" train --recipe byname/recipe.yaml --run-dir again
[ "$data" = "$(grep '"fingerprint"' again/run.json)" ] || fail "a recipe without valid-by: $(grep '"fingerprint"' again/run.json), was $data"
expect 0 "" "$strata" evaluate byname/checkpoints/last.safetensors twins --valid-fraction 0.5 --device cpu --json
mv out named.json
sed 's/"valid-by":"name"/"valid-bx":"name"/' byname/checkpoints/last.safetensors > before.safetensors
cmp -s before.safetensors byname/checkpoints/last.safetensors && fail "no valid-by in the weights"
expect 0 "" "$strata" evaluate before.safetensors twins --valid-fraction 0.5 --device cpu --json
cmp -s out named.json || fail "weights without valid-by: $(cat out named.json)"
expect 0 "" "$strata" evaluate bypath/checkpoints/last.safetensors twins --valid-fraction 0.5 --device cpu --json
[ "$(grep -o '"images": [0-9]*' out)" != "$(grep -o '"images": [0-9]*' named.json)" ] || fail "evaluated alike: $(cat out named.json)"
# What is scored is what was held out, by a run and by its weights alone; another part, and one of which nobody
# says whether it was, are told.
drawn="seed 7, valid-fraction 0.4, valid-by path"
expect 0 "" "$strata" train twins --device cpu --model small-cnn --size 8 --batch 2 --valid-fraction 0.4 --seed 7 --steps 2 --run-dir parted
of_run=parted/checkpoints/best.safetensors
expect 0 "" "$strata" evaluate parted --device cpu
grep -q "trained on" err out && fail "data that did not change: $(cat err out)"
holds out "^part    of twins, drawn as in training: $drawn$"
holds out "^images  $(grep -oE '"valid": [0-9]+' parted/run.json | grep -oE '[0-9]+')$"
mv out parted.out
expect 0 "" "$strata" evaluate $of_run twins --device cpu
cmp -s out parted.out || fail "of a run is scored: $(cat parted.out), of its weights: $(cat out)"
expect 0 "" "$strata" evaluate $of_run twins --device cpu --seed 8 --json
json out
holds out '"part": "drawn-otherwise", "part_text": "of twins, drawn by seed 8, valid-fraction 0.4, .*; in training by seed 7, '
expect 0 "" "$strata" inspect $of_run
holds out '^seed +7$'
sed 's/"valid-fraction":"0.4"/"valid-fractiox":"0.4"/' $of_run > before.safetensors
cmp -s before.safetensors $of_run && fail "no valid-fraction in the weights"
expect 0 "" "$strata" evaluate before.safetensors twins --device cpu
holds out '^part    of twins, drawn by .*; the weights do not say how in training: some may have been trained on$'
# A run knows its data: where the files are others the scores are, and a part that is drawn of them may be. Data that
# is named otherwise, or read otherwise, is meant so.
cp -r twins twins.kept
cp "$golden/rgba.png" twins/a/3.png
changed="twins is not what the run was trained on \(fingerprint [0-9a-f]{16}, now [0-9a-f]{16}\): its scores are of other images$"
for words in parted "parted twins"; do
  expect 0 "$changed" "$strata" evaluate $words --device cpu
  holds out "^part    of twins, drawn as in training: $drawn, but of other images: some may have been trained on$"
done
expect 0 "$changed" "$strata" evaluate parted --device cpu --json
holds out '"part": "drawn-otherwise"'
mv twins twins.other; mv twins.kept twins
for words in parted "parted twins.other" "parted --fit pad" "parted --valid-fraction 0.3" "$of_run twins"; do
  expect 0 "" "$strata" evaluate $words --device cpu
  grep -q "twins is not" err && fail "evaluate $words: $(cat err)"
done
# One is told as one: a set of one class, of which one image is trained on, by a network of one group.
mkdir -p lone/train/a lone/valid/a
for part in train valid; do cp "$golden/rgb.png" lone/$part/a/x.png; done
expect 0 "" "$strata" data info lone
holds out '^images    1 train, 1 valid, 1 class, 9x13x3, '
holds out '^in both   1 content of train is in valid, too; 0 images repeat another of train$'
expect 0 "" "$strata" train lone --loss sigmoid --device cpu --model small-cnn --size 8 --batch 1 --epochs 1 --groups "all: *" --run-dir lone-run
holds err '^data   lone: 1 train, 1 valid, 1 class, 8x8x3$'
holds err '^model .* 1 group \('
holds err ', batch 1, 1 epoch, 1 step, '
expect 4 "lone/train: its only picture cannot be read" "$strata" data info --max-pixels 9 --labels none lone/train
expect 2 "in 1 class, good has 8x8x1 in 10" "$strata" evaluate lone-run good --device cpu
expect 2 "is more than the 1 training image: take fewer" "$strata" train lone --loss sigmoid --device cpu --batch 2 --run-dir two
# A run that begins with these weights tells where its draw is another, of the same classes.
onward=("$strata" train twins --device cpu --model small-cnn --size 8 --batch 2 --steps 2 --run-dir onward --overwrite --init)
other="^valid  drawn by seed 1, valid-fraction 0.5, valid-by path; for the weights of --init by $drawn: .* some may have been trained on$"
expect 0 "$other" "${onward[@]}" $of_run --valid-fraction 0.5
holds onward/log.txt "$other"
for same in "$of_run --seed 7 --valid-fraction 0.4" "before.safetensors --valid-fraction 0.5"; do
  expect 0 "^init  " "${onward[@]}" $same
  ! grep '^valid  drawn' err || fail "told of --init $same"
done
mv twins/c twins/d
expect 0 "^init  " "${onward[@]}" $of_run --valid-fraction 0.5 # other classes
! grep '^valid  drawn' err || fail "told of another task's weights"
mv twins/d twins/c
expect 0 "" "$strata" evaluate run --device cpu # pictures/valid
holds out '^part    the validation part of pictures$'
rm -r byname bypath again parted onward
mv twins/c twins/$'c\nd'
expect 4 "twins: the name of the class 'c..' has a line break: name its folder anew" "$strata" train twins "${named[@]}" \
  --steps 2 --run-dir none
absent none
rm -r twins
cp -r pictures unread
for class in a b; do head -c 100 "$golden/rgb.png" > unread/valid/$class/x.jpg; done
expect 4 "unread: no picture of its validation part can be read; the first: valid/a/x.jpg" "$strata" evaluate run unread --device cpu
rm -r unread/valid
expect 4 "unread has no validation part" "$strata" evaluate run unread --valid-fraction 0 --device cpu
rm -rf run
for size in 0 4097 64x 48x64x 48x64px 48x12345 x8 -8 ' 8'; do refused 2 "size wants pixels.*got '$size'" pictures --size="$size"; done
refused 2 "background wants white" pictures --background pink

expect 0 "" "$strata" data show pictures --size 8 --augment none --order sequential --images 1 --out grid.png
expect 0 "" "$strata" data show pictures --size 8 --images 20 --out grid20.png
expect 2 "wants --out" "$strata" data show pictures
[ -s grid.png ] && [ -s grid20.png ] || fail "no grid"

# Classes may count differently: by what stands in a file, where only ratios matter.
printf 'a,3\nb,3\n' > same.csv
printf 'b,1\r\na,0.5\r\n' > other.csv
for how in none same.csv other.csv balanced; do
  expect 0 "" "${train[@]}" pictures --size 8 --steps 3 $([ $how = none ] || echo --class-weights $how)
  mv run/checkpoints/last.safetensors weights-$how
  rm -rf run
done
cmp weights-none weights-same.csv || fail "equal class weights change something"
cmp weights-none weights-balanced || fail "balanced weights of classes of equal size change something"
cmp -s weights-none weights-other.csv && fail "class weights change nothing"
printf 'a,1\n' > lacks.csv
refused 4 "lacks.csv has no weight for class 'b'" pictures --class-weights lacks.csv
printf 'a,1\nx,1\n' > stranger.csv
refused 4 "stranger.csv:2: the data has no class 'x'" pictures --class-weights stranger.csv
printf 'a,1\nb,-1\n' > negative.csv
refused 4 "negative.csv:2 wants a weight" pictures --class-weights negative.csv
refused 2 "leave --order sequential away" pictures --sample balanced --order sequential
printf 'a,1\na,2\n' > twice.csv
refused 4 "class-weights: .*twice.csv:2: the class 'a' has a weight already" pictures --class-weights twice.csv
refused 4 "sample: .*twice.csv:2: the class 'a' has a weight already" pictures --sample twice.csv
refused 4 "sample: .*balnaced" pictures --sample balnaced
printf 'a,0\nb,0\n' > none.csv
refused 4 "none.csv: every class that has images weighs 0" pictures --sample none.csv
printf 'a,0\n"b",2\n' > only.csv
expect 0 "" "${train[@]}" pictures --size 8 --sample only.csv
holds run/recipe.yaml 'sample: "/.*/only.csv"'
rm -rf run
expect 0 "" "${train[@]}" pictures --size 8 --sample balanced
rm -rf run

# A line about a run is whole, however long its path is.
long=$(printf 'x%.0s' {1..200})
expect 0 "" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir "$long/$long/$long/$long/$long/$long/end"
holds err '^run +x+/.*/end$'
# ---- A CSV of labels: any number a picture ----
mkdir labelled
cp "$golden/rgb.png" labelled/one.png
cp "$golden/grey.png" labelled/two.png
cp "$golden/smooth.jpg" labelled/three.jpg
printf 'file,labels,is_valid\none,"warm flat",0\ntwo,flat,0\nthree,"warm",1\n' > labelled/labels.csv
expect 0 "" "$strata" train labelled --device cpu --model tiny.yaml --size 8 --channels 1 --batch 2 --steps 2 --best map --run-dir run
holds err 'data +labelled: 2 train, 1 valid, 2 classes, 8x8x1'
holds run/recipe.yaml 'loss: "sigmoid"'
[ "$(cat run/metrics.csv | tail -1 | grep -oE ',[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+,$' | wc -l)" = 1 ] || fail "metrics: $(cat run/metrics.csv)"
absent run/confusion.csv
expect 0 "" "$strata" evaluate run --device cpu --per-class --json
json out
# What has no matrix is refused before a device is asked for, and before any image is looked at.
expect 2 "^strata: --confusion c.csv: a confusion matrix is of one label an image, labelled has any number$" \
  "$strata" evaluate run --device none-such --confusion c.csv
absent c.csv
expect 0 "" "$strata" predict run labelled/one.png --device cpu --threshold 0
[ "$(wc -l < out)" = 2 ] || fail "not every label is above 0: $(cat out)"
expect 0 "" "$strata" predict run/checkpoints/last.safetensors labelled/one.png --device cpu --threshold 0.999
holds out '^labelled/one.png +-  nothing above 99.9 %$'
expect 0 "" "$strata" data info labelled --size 8
holds out '^flat +2 +0$'
holds out '^labels +1.50 an image of train, 1.00 of valid$'
rm -rf run
refused 2 "loss softmax is of one label an image, labelled has any number: take sigmoid" labelled --size 8 --loss softmax
refused 2 "class-weights wants one label an image" labelled --size 8 --class-weights balanced
refused 4 "labelled holds no data set|wanted pictures in a folder for each class" labelled --labels none
sed -i 's/two/to/' labelled/labels.csv
refused 4 "labels.csv:3: there is no picture 'to' in labelled; with --labels none" labelled
refused 4 "gone.csv" labelled --labels gone.csv

mkdir part
for i in 1 4; do head -c 6146 /dev/zero > "part/data_batch_$i.bin"; done
head -c 6146 /dev/zero > part/test_batch.bin
sed 's/\[8, 8, 1\]/[32, 32, 3]/' tiny.yaml > colour.yaml
expect 0 "" "$strata" train part --device cpu --model colour.yaml --batch 2 --steps 1 --run-dir run
[ "$(cat err out | grep -c 'skip.*data_batch_[235].bin is not there')" = 3 ] ||
  fail "missing batches are not told: $(cat err)"
rm -rf run

# ---- Names that are not UTF-8 ----
cp -r good latin
printf 'caf\xe9\n1\n2\n3\n4\n5\n6\n7\n8\n\xc3\xa9\n' > latin/classes.txt
expect 0 "" "${train[@]}" latin
json run/run.json
holds run/run.json '"caf\\\\xe9"'
expect 0 "" "$strata" inspect run/checkpoints/last.safetensors
holds out '^class_names  caf\\xe9, 1, .*, 8, é$'
rm -rf run

# ---- Weights ----
expect 0 "" "$strata" inspect $weights
holds out '^conv.weight +F32 +\[5,1,3,3\]'
expect 0 "" "$strata" inspect $weights --json
json out
expect 4 "nowhere.safetensors" "$strata" inspect nowhere.safetensors
size=$(stat -c %s $weights)
for bytes in 0 5 40 $((size - 1)); do
  head -c "$bytes" $weights > cut.safetensors
  expect 4 "cut.safetensors" "$strata" inspect cut.safetensors
  [ -s out ] && fail "half a table of a file of $bytes bytes"
  expect 4 "cut.safetensors" "$strata" evaluate cut.safetensors good --device cpu --model tiny.yaml
  refused 4 "cut.safetensors" good --init cut.safetensors
done
{ cat $weights; echo; } > long.safetensors
expect 4 "long.safetensors" "$strata" inspect long.safetensors
# A folder of a run means its best weights, or its last; any other is told what was wanted.
tested=first
for file in best last; do
  expect 0 "" "$strata" inspect $tested/checkpoints/$file.safetensors
  mv out table
  expect 0 "^$tested is a run: its weights are $tested/checkpoints/$file.safetensors$" "$strata" inspect $tested
  cmp -s out table || fail "a run's table is not that of its weights: $(diff out table)"
  expect 0 "" "$strata" inspect $tested --json
  holds out "\"file\": \"$tested/checkpoints/$file.safetensors\""
  [ $file = last ] || { cp -r first tested; tested=tested; rm tested/checkpoints/best.safetensors; }
done
expect 0 "$tested is a run" "$strata" convert "$tested" converted.safetensors
expect 0 "" "$strata" inspect converted.safetensors
cmp -s <(grep '^conv' out) <(grep '^conv' table) || fail "what a run was converted to: $(cat out)"
for command in "inspect good" "convert good no.safetensors" "evaluate good" "predict good x.png" "export good no.onnx"; do
  expect 4 "^strata: good: not a run folder: it has no run.json; wanted a run's folder, or a .safetensors or .pth file$" \
    "$strata" $command
done
expect 4 "such as $tested/checkpoints/(best|last).safetensors$" "$strata" inspect "$tested/checkpoints"
refused 4 "good: not a run folder" good --init good
absent no.safetensors no.onnx
echo "no weights at all" > text.safetensors
expect 4 "text.safetensors" "$strata" inspect text.safetensors
{ head -c $((size - 4)) $weights; bytes '\0\0\xc0\x7f'; } > nan.safetensors
sed 's/out: 5/out: 6/' tiny.yaml > other.yaml
expect 2 "conv.weight.*\[6,1,3,3\].*\[5,1,3,3\]|conv.weight.*\[5,1,3,3\].*\[6,1,3,3\]" \
  "$strata" evaluate $weights good --device cpu --model other.yaml
refused 2 "conv.weight" good --model other.yaml --init $weights
sed 's/fc/last/' tiny.yaml > renamed.yaml
expect 0 "init .*$weights: 2 tensors taken, 0 resized, 0 skipped, 2 missing, 2 surplus" \
  "$strata" train good --device cpu --steps 2 --run-dir transferred --model renamed.yaml --init $weights
holds err '^ +missing  last.weight \['
holds err '^ +surplus  fc.bias \['
grep -q 'taken    conv' err && fail "without -v: $(cat err)"
holds transferred/log.txt '^ +taken    conv.weight \[5,1,3,3\]'
expect 0 " taken    conv.bias " "$strata" train good --device cpu --steps 2 --run-dir transferred --overwrite -v \
  --model renamed.yaml --init $weights
expect 0 "init .*/first/checkpoints/best.safetensors: 2 tensors taken" \
  "$strata" train good --device cpu --steps 2 --run-dir transferred --overwrite --model renamed.yaml --init first
holds transferred/recipe.yaml '^init: ".*/first/checkpoints/best.safetensors"'
sed 's/\bconv\b/first/g; s/fc/last/' tiny.yaml > stranger.yaml
refused 2 "has nothing for this network: its first tensor is" good --model stranger.yaml --init $weights
sed 's/\bconv\b/first/g' tiny.yaml > headed.yaml # the head alone is the same
refused 2 "has nothing for this network: .*; its weights are of the model in a file tiny.yaml$" good --model headed.yaml --init $weights
expect 0 "" "${train[@]}" good --model "$PWD/tiny.yaml"
cmp -s run/checkpoints/last.safetensors $weights || fail "the weights depend on where the model's file lies"
rm -rf run
idx_folder wide
for part in train t10k; do idx_images wide/$part-images-idx3-ubyte $([ $part = train ] && echo 40 || echo 20) 9 9; done
expect 2 "wants images of 8x8x1.*wide has 9x9x1" "$strata" evaluate first wide --device cpu

# ---- Models ----
# model PATTERN SED: tiny.yaml with a fault
model() {
  sed "$2" tiny.yaml > wrong.yaml
  refused 2 "$1" good --model wrong.yaml
}
model "wrong.yaml:9:.*'conv2e'.*conv2d" 's/op: conv2d/op: conv2e/'
model "wrong.yaml:9:.*'strid'.*stride" 's/stride:/strid:/'
model "wrong.yaml:9: conv: a window of 30" 's/kernel: 3/kernel: 30/'
model "wrong.yaml:9: the name 'con,v' holds a blank or one of" 's/name: conv/name: "con,v"/'
model "the name 'bo=dy' holds a blank or one of" 's/body:/bo=dy:/'
model "wrong.yaml:10:.*'con'.*conv" 's/op: relu/op: relu, in: con/'
model "wrong.yaml:12:.*10" 's/\$classes/11/'
model "wrong.yaml:12:.*'\\\$classe'" 's/\$classes/$classe/'
sed 's/^layers:/layers: [/' tiny.yaml > wrong.yaml
refused 4 "wrong.yaml:" good --model wrong.yaml
refused 4 "nowhere.yaml" good --model nowhere.yaml

# ---- Pictures ----
# a PNG of 1x1, grey
png='\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDAT\x78\xda\x63\x68\0\0\0\x82\0\x81\xda\x45\x08\x3b\0\0\0\0IEND\xae\x42\x60\x82'
bytes "$png" > dot.png
expect 0 "" "$strata" predict first dot.png --device cpu --top 2
[ "$(wc -l < out)" = 2 ] || fail "--top 2 gives $(wc -l < out) lines"
holds out '^dot.png +[0-9.]+ %  [0-9]$'
expect 0 "" "$strata" predict first dot.png --device cpu --json
json out
head -c 45 dot.png > cut.png
echo "not a picture" > text.png
expect 4 "cut.png" "$strata" predict first cut.png --device cpu
expect 4 "1 of 1 picture failed" "$strata" predict first text.png --device cpu
expect 4 "2 of 3 pictures" "$strata" predict first cut.png dot.png nowhere.png --device cpu
holds err 'cut.png'
holds err 'nowhere.png'
holds out '^dot.png'
sed 's/\xc0\x7f$/\xc0\xff/' nan.safetensors > minus.safetensors
for sign in nan minus; do
  expect 5 "the loss is not finite: what $sign.safetensors says of at least one image is no number" \
    "$strata" evaluate $sign.safetensors good --device cpu --model tiny.yaml
  holds out '^loss    nan$'
done
expect 4 "cannot read /dev/zero: it is no file, and has no end within 256 MiB" "$strata" predict first /dev/zero --device cpu
# Where standard output is closed no run begins: its table would go to a file of the run, or nowhere.
expect 4 "standard output" sh -c '"$@" >&-' closed "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir closed
absent closed
expect 2 "--normalize wants mean=M,std=S, got 'half'" "$strata" evaluate first --device cpu --normalize half
expect 4 "pictures/train is a folder: wanted pictures, such as pictures/train/\*" "$strata" predict first pictures/train --device cpu
refused 4 "first is the folder of a run and holds no data: --resume first goes on with the run, --recipe first/recipe.yaml" first
expect 5 "dot.png: what .*nan.safetensors says of it is not finite" "$strata" predict nan.safetensors dot.png --device cpu --model tiny.yaml
expect 2 "--top wants a whole number" "$strata" predict first dot.png --top 0
expect 4 "empty" "$strata" predict empty dot.png

# ---- Run folders ----
before=$(find first -type f -exec md5sum {} + | sort)
expect 2 "first holds a run: name another" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir first
expect 0 "finished: nothing to do" "$strata" train --resume first
[ "$before" = "$(find first -type f -exec md5sum {} + | sort)" ] || fail "a finished run was changed"
expect 2 "'resnet81'" "$strata" train good --model resnet81 --run-dir first --overwrite
[ "$before" = "$(find first -type f -exec md5sum {} + | sort)" ] || fail "a typo with --overwrite changed a run"
expect 4 "good: not a run folder|good/run.json" "$strata" evaluate good
expect 4 "good" "$strata" train --resume good
echo hello > plain
expect 4 "plain" "${train[@]}" good --run-dir plain/run
cp -r first again
echo "mine" > again/mine.txt
expect 0 "" "$strata" train good --device cpu --model tiny.yaml --steps 3 --run-dir again --overwrite
[ "$(cat again/mine.txt)" = mine ] || fail "--overwrite removed what no run wrote"
for other in mine.txt recipe.yaml run.json; do # one of them alone is somebody else's
  rm -rf other
  mkdir other
  cp again/$other other
  for more in "" --overwrite; do
    expect 2 "--run-dir other holds files and no run" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir other $more
  done
  [ "$(ls -A other)" = $other ] && cmp -s again/$other other/$other || fail "no run's folder was changed: $(ls -A other)"
done
rm -r other/*
expect 0 "" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir other --overwrite
printf '{"status": "running"' > again/run.json
expect 4 "again/run.json" "$strata" train --resume again

# ---- A run that is being written is nobody else's; one whose process was killed is anybody's ----
"$strata" train good --device cpu --model tiny.yaml --steps 200 --batch 2 --log-every 1 --checkpoint-every 5 --run-dir busy > busy.out 2> busy.err &
process=$!
until [ -e busy/checkpoints/last.state.safetensors ] || ! kill -0 $process 2> /dev/null; do sleep 0.02; done
kill -STOP $process
json busy/run.json
before=$(find busy -type f -exec md5sum {} + | sort)
says="^strata: busy: another strata, process $process, writes this run: wait for it, or stop it$"
expect 4 "$says" "$strata" train --resume busy
expect 4 "$says" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir busy
expect 4 "$says" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir busy --overwrite
[ "$before" = "$(find busy -type f -exec md5sum {} + | sort)" ] || fail "a run was changed that is another's"
expect 0 "" "$strata" evaluate busy --device cpu
kill -KILL $process
wait $process 2> /dev/null
[ -e busy/run.lock ] || fail "the killed run removed its lock"
expect 0 "resume after step" "$strata" train --resume busy --progress none
absent busy/run.lock

# So is one that is only just begun: it has a lock, and perhaps its recipe.
if command -v flock > /dev/null; then
  for begun in begun/run.lock "begun/run.lock begun/recipe.yaml"; do
    mkdir begun
    touch $begun
    flock -o begun/run.lock sleep 10 &
    process=$!
    until ! flock -n begun/run.lock true; do sleep 0.02; done
    for more in "" --overwrite; do
      expect 4 "^strata: begun: another strata writes this run" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir begun $more
    done
    kill $process
    wait $process 2> /dev/null
    expect 2 "--run-dir begun holds files and no run" "$strata" train good --device cpu --model tiny.yaml --steps 2 --run-dir begun
    [ -e begun/run.lock ] || fail "a folder that is no run was changed"
    rm -r begun
  done
fi

# ---- A full disk: no file may grow beyond a limit; ignored SIGXFSZ makes that an error of write ----
for blocks in 1 4 8 24; do # of 1024 bytes
  rm -rf run
  expect 4 "run/|File too large" bash -c "trap '' XFSZ; ulimit -f $blocks; exec \"\$@\"" full "${train[@]}" good --log-every 1 --steps 40
  [ -z "$(find run -name '*.tmp' 2> /dev/null)" ] || fail "left behind: $(find run -name '*.tmp')"
  for file in run/checkpoints/*.safetensors; do
    [ ! -e "$file" ] || "$strata" inspect "$file" > /dev/null || fail "$file is not whole"
  done
  [ ! -e run/run.json ] || json run/run.json
done
rm -rf run

# ---- Memory, numbers ----
refused 6 "no batch size would fit|--batch" good --limits memory=4096
refused 2 "^strata: --limits .* wants range, .*, got 'memry=4096'$" good --limits memry=4096
refused 2 "--batch 5000 is more than the 40" good --batch 5000
refused 2 "--micro-batch wants a divisor of --batch 32" good --batch 32 --micro-batch 7
refused 2 "--lr.*1:2:3" good --lr 1:2:3
refused 2 "--lr.*2.*3|--lr.*3.*2" good --lr 1,2,3
refused 2 "'one-cicle'.*one-cycle" good --schedule one-cicle
refused 2 "--normalize wants" good --normalize mean=1,2
refused 2 "--normalize wants" good --normalize mean=0.5x,std=1
refused 2 "--normalize wants" good --normalize mean=0.5,std=1,gain=2
refused 2 "--normalize wants" good --normalize std=1
refused 2 "--normalize wants finite" good --normalize mean=nan,std=1
refused 2 "--betas wants two numbers" good --betas 0.9
refused 2 "--betas wants two numbers.*0.9,1'" good --betas 0.9,1
refused 2 "--eps wants" good --eps 0
refused 2 "--weight-decay wants" good --weight-decay inf
refused 2 "--no-decay.*norms.*'norm'" good --no-decay norms
refused 4 "--save nowhere/w.safetensors: there is no folder nowhere/" good --save nowhere/w.safetensors
refused 4 "--save good: .* is a folder" good --save good
refused 2 "--stem" good --stem small
expect 5 "step [0-9]+.*not finite.*(conv|fc)" "$strata" train builtin:digits --device cpu --model tiny.yaml --opt sgd --lr 1e30 \
  --steps 60 --checkpoint-every 1 --batch 32 --run-dir diverged --quiet
holds diverged/run.json '"status": "failed"'
expect 0 "" "$strata" inspect diverged/checkpoints/last.safetensors
# A step whose weights go from finite to infinite: its line is JSON, and nan has no sign.
expect 5 "the loss \(nan\) or a gradient is not finite" \
  "$strata" train builtin:digits --device cpu --model small-cnn --opt sgd --lr 1e30 --steps 3 --run-dir diverged --overwrite --quiet
while read -r line; do echo "$line" > line; json line; done < diverged/steps.jsonl
holds diverged/steps.jsonl '"update": \[null, '
grep -q "not finite" out && fail "a checkpoint that is not finite was kept"

finish
