# What the tests of whole runs share. Sourced after lib.sh.
common=(--model small-cnn --batch 32 --epochs 3 --log-every 1 --checkpoint-every 20 --quiet)

# same A B: two runs ended with the same weights and records; the time is in last.state.safetensors and in a column
same() {
  local file
  for file in checkpoints/last.safetensors checkpoints/best.safetensors steps.jsonl; do
    cmp -s "$1/$file" "$2/$file" || fail "$file of $1 and $2 differ"
  done
  cmp -s <(cut -d, -f1,2,4-9 "$1/metrics.csv") <(cut -d, -f1,2,4-9 "$2/metrics.csv") ||
    fail "metrics.csv of $1 and $2 differ"
  cmp -s <(grep -o '[^,]*$' "$1/metrics.csv") <(grep -o '[^,]*$' "$2/metrics.csv") ||
    fail "the events in metrics.csv of $1 and $2 differ"
}

# begin DIR STEPS [OPTION...]: a run in the background, until it has taken that many steps; its process is $process
begin() {
  "$strata" train builtin:digits "${common[@]}" "${@:3}" --run-dir "$1" > "$1.out" 2> "$1.err" &
  process=$!
  for _ in $(seq 600); do
    [ "$(cat "$1/steps.jsonl" 2> /dev/null | wc -l)" -ge "$2" ] && return
    sleep 0.05
  done
  fail "$1 did not take $2 steps: $(cat "$1.err")"
}

# ends CODE: how the run in the background ended
ends() {
  local code=0
  wait "$process" || code=$?
  [ "$code" = "$1" ] || fail "exit code $code, wanted $1"
}
