#!/usr/bin/env bash
# Runs that are stopped and go on: from another folder, by their own recipe, from an earlier checkpoint, after a full disk,
# and killed at random moments. Each ends with the bits of the run that was not stopped.
#   resume.sh PROGRAM [KILLS [SEED]]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
"$strata" devices | grep -q 'auto takes this one' || { echo "no Vulkan device"; exit 77; }
. "$here/runs_lib.sh"
kills=${2:-5}
RANDOM=${3:-$$}
echo "seed of the moments: ${3:-$$}"

start=$(date +%s%N)
expect 0 "" "$strata" train builtin:digits "${common[@]}" --run-dir whole
lasts=$((($(date +%s%N) - start) / 1000000)) # milliseconds

# ---- Killed at random moments, by chance again while it goes on ----
for number in $(seq "$kills"); do
  rm -rf shot
  "$strata" train builtin:digits "${common[@]}" --run-dir shot > shot.out 2> shot.err &
  process=$!
  moments=
  while kill -0 "$process" 2> /dev/null; do
    moment=$((RANDOM % (lasts + 1)))
    moments="$moments $moment"
    sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
    kill -KILL "$process" 2> /dev/null
    wait "$process" 2> /dev/null
    [ -e shot/run.json ] || break
    [ $((RANDOM % 2)) = 0 ] && break
    "$strata" train --resume shot --quiet > shot.out 2> shot.err &
    process=$!
  done
  if [ ! -e shot/run.json ]; then # before there was a run
    rm -rf shot
    expect 0 "" "$strata" train builtin:digits "${common[@]}" --run-dir shot
  else
    expect 0 "" "$strata" train --resume shot --progress none
  fi
  before=$failures
  same whole shot
  [ "$failures" = "$before" ] || echo "shot $number after$moments ms of $lasts" >&2
done

# ---- A run needs neither the folder it was begun in nor, once it has begun, its --init ----
mkdir -p elsewhere there
cp tiny.yaml there/relative.yaml
cd there
expect 0 "" "$strata" train builtin:digits --model relative.yaml --steps 2 --run-dir start --quiet
cp start/checkpoints/last.safetensors init.safetensors
placed=(builtin:digits --model relative.yaml --init init.safetensors --batch 32 --epochs 20 --checkpoint-every 20 --save saved.safetensors)
expect 0 "" "$strata" train "${placed[@]}" --run-dir ../placed --quiet
"$strata" train "${placed[@]}" --run-dir ../moved --quiet > /dev/null 2>&1 &
process=$!
for _ in $(seq 600); do [ -e ../moved/checkpoints/last.state.safetensors ] && break; sleep 0.01; done
kill -KILL "$process"
wait "$process" 2> /dev/null
rm init.safetensors saved.safetensors
cd ../elsewhere
touch ../moved/checkpoints/last.state.safetensors.4242.0.tmp ../moved/checkpoints/theirs.tmp ../moved/confusion.csv.4242.0.tmp
expect 0 "resume after step" "$strata" train --resume ../moved --progress none
cd ..
same placed moved
cmp -s there/saved.safetensors placed/checkpoints/last.safetensors || fail "--save of a resumed run is not where it was to be"
absent elsewhere/saved.safetensors moved/checkpoints/last.state.safetensors.4242.0.tmp moved/confusion.csv.4242.0.tmp
[ -e moved/checkpoints/theirs.tmp ] || fail "a file that the run did not write is gone"

# ---- The recipe of a run is its own ----
begin edited 30
kill -KILL "$process"
wait "$process" 2> /dev/null
cp edited/run.json before.json
expect 2 "goes on with the run's own recipe: --lr is '1e-2', not '1'; --epochs is '3', not '5'$" \
  "$strata" train --resume edited --epochs 5 --lr 1 --batch 32
sed 's/^epochs: .*/epochs: "4"/; s/^seed: .*/seed: "2"/; s/^log-every: .*/log-every: "5"/' edited/recipe.yaml > changed.yaml
expect 2 "recipe: --epochs is '3', not '4'; --seed is '1', not '2'" "$strata" train --resume edited --recipe changed.yaml
mv edited/recipe.yaml kept.yaml
cp changed.yaml edited/recipe.yaml
expect 2 "edited/recipe.yaml is not the recipe .*: epochs was '3' and is '4', seed was '1' and is '2';" "$strata" train --resume edited
cmp -s before.json edited/run.json || fail "a refused --resume changed the record"
mv kept.yaml edited/recipe.yaml
expect 0 "" "$strata" train --resume edited --epochs 3 --recipe whole/recipe.yaml --quiet
same whole edited

# ---- The last checkpoints ----
expect 0 "" "$strata" train builtin:digits "${common[@]}" --keep 3 --run-dir keeping
names() { (cd "$1/checkpoints" && echo *); }
wanted="best.safetensors last.safetensors last.state.safetensors step-00000100.safetensors step-00000100.state.safetensors \
step-00000120.safetensors step-00000120.state.safetensors"
[ "$(names keeping)" = "$wanted" ] || fail "--keep 3 leaves $(names keeping)"
begin rewound 90 --keep 3
kill -KILL "$process"
wait "$process" 2> /dev/null
expect 0 "" "$strata" train --resume rewound --quiet
same keeping rewound
for file in step-00000100.safetensors step-00000120.safetensors; do
  cmp -s keeping/checkpoints/$file rewound/checkpoints/$file || fail "$file differs after a kill"
done
[ "$(names rewound)" = "$wanted" ] || fail "--keep 3 leaves $(names rewound) after a kill"
cp rewound/checkpoints/step-00000100.state.safetensors rewound/checkpoints/last.state.safetensors # an earlier one will do
sed -i 's/"status": "finished"/"status": "interrupted"/' rewound/run.json
expect 0 "resume after step 100" "$strata" train --resume rewound --progress none
same keeping rewound

# Another driver, device or program has other bits: the record knows what it was.
cp rewound/checkpoints/step-00000100.state.safetensors rewound/checkpoints/last.state.safetensors
cp rewound/run.json whole.json
for made in "device: name" "driver: driver" "commit: commit" "strata: strata"; do
  sed 's/"status": "finished"/"status": "interrupted"/; s/"'"${made#*: }"'": "[^"]*"/"'"${made#*: }"'": "an older one"/' whole.json > rewound/run.json
  expect 0 "^resume: .*${made%:*} was 'an older one', it is '.*' now, and the bits may differ" "$strata" train --resume rewound --progress none
  [ "$(grep -c 'bits may differ' err)" = 1 ] || fail "of another ${made%:*}: $(cat err)"
  cp rewound/checkpoints/step-00000100.state.safetensors rewound/checkpoints/last.state.safetensors
done
sed 's/"status": "finished"/"status": "interrupted"/' whole.json > rewound/run.json
expect 0 "resume after step 100" "$strata" train --resume rewound --progress none
grep -q 'bits may differ' err && fail "the same makers: $(cat err)"

# Of a strata that wrote fewer columns: its rows stand under the names they had, and those that follow are whole.
python3 - keeping/metrics.csv rewound/metrics.csv <<'END'
import csv, sys
rows = list(csv.reader(open(sys.argv[1])))
kept = [i for i, name in enumerate(rows[0]) if not name.startswith("valid_f_")]
csv.writer(open(sys.argv[2], "w"), lineterminator="\n").writerows([row[i] for i in kept] for row in rows)
END
cp rewound/checkpoints/step-00000100.state.safetensors rewound/checkpoints/last.state.safetensors
sed -i 's/"status": "finished"/"status": "interrupted"/' rewound/run.json
expect 0 "metrics.csv: rows so far have nothing in valid_f_macro, valid_f_micro, valid_f_samples: an earlier" \
  "$strata" train --resume rewound --progress none
python3 - keeping/metrics.csv rewound/metrics.csv <<'END' || fail "metrics.csv of an earlier strata: $(cat rewound/metrics.csv)"
import csv, sys
whole, fitted = (list(csv.DictReader(open(path))) for path in sys.argv[1:])
assert len(whole) == len(fitted) == 3
for want, got in zip(whole, fitted):
    for name, value in want.items():
        if name in ("time_s", "images_per_s"):
            continue
        early = name.startswith("valid_f_") and int(want["step"]) <= 100
        assert got[name] == ("" if early else value), (name, value, got[name])
END
expect 0 "" "$strata" train builtin:digits "${common[@]}" --keep 1 --run-dir rewound --overwrite
[ "$(names rewound)" = "best.safetensors last.safetensors last.state.safetensors" ] || fail "--overwrite leaves $(names rewound)"

# --overwrite takes nothing away before all is there that could fail
cp rewound/checkpoints/last.safetensors survivor
expect 3 "no device nonsense" "$strata" train builtin:digits "${common[@]}" --device nonsense --run-dir rewound --overwrite
expect 6 "device memory" "$strata" train builtin:digits "${common[@]}" --limits memory=4096 --run-dir rewound --overwrite
cmp -s survivor rewound/checkpoints/last.safetensors || fail "a run that could not begin took another's place"

# ---- Losses go on with the scale they had: a head so steep that the first one is too much for 16 bits ----
sed 's/op: linear, name: fc/op: linear, std: 100, name: fc/' "$here/../assets/models/small-cnn.yaml" > steep.yaml
half=(--model steep.yaml --precision fp16)
expect 0 "" "$strata" train builtin:digits "${common[@]}" "${half[@]}" --run-dir half
grep -q '"loss_scale": 65536' half/steps.jsonl && fail "nothing overflows: the first scale is not too much"
begin halves 50 "${half[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
expect 0 "" "$strata" train --resume halves --quiet
same half halves

# ---- A disk that fills up: the checkpoint before stays, and the run goes on from it ----
begin full 50
kill -INT "$process"
ends 130
state=$(stat -c %s full/checkpoints/last.state.safetensors)
for file in last.safetensors last.state.safetensors; do cp full/checkpoints/$file full.$file; done
for kib in 8 $((state / 1024 - 8)); do # no room for the weights; room for them and not for the state
  expect 4 "cannot write .*File too large" bash -c 'trap "" XFSZ; ulimit -f '$kib'; exec "$1" train --resume full --quiet' _ "$strata"
  cmp -s full.last.state.safetensors full/checkpoints/last.state.safetensors || fail "the state before a full disk is not there"
  [ -z "$(find full -name '*.tmp')" ] || fail "left on a full disk: $(find full -name '*.tmp')"
done
holds full/run.json '"why": ".*File too large'
expect 0 "" "$strata" train --resume full --quiet
same whole full

finish
