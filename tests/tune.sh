#!/usr/bin/env bash
# Runs with --tune: what is said of it, that it is measured once, and that a resumed run takes what was chosen.
#   tune.sh PROGRAM
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
"$strata" devices | grep -q 'auto takes this one' || { echo "no Vulkan device"; exit 77; }
. "$here/runs_lib.sh"
export XDG_CACHE_HOME=$work/cache

# chosen RUN PASS: the variant that run.json has for a pass of the convolution
chosen() {
  python3 - "$1" "$2" <<'END'
import json, sys
launches = json.load(open(sys.argv[1] + "/run.json"))["launches"]
print(*sorted({l["variant"] for part in launches.values() for l in part if l["node"] == "conv" and l["pass"] == sys.argv[2]}))
END
}
kept() { find "$1" -name 'tuned-*' | wc -l; }

# One shape: the other layer's variants are somebody's choice.
tuned=(--model tiny.yaml --variants linear=plain --tune fast)
verbose=("${common[@]}")
unset 'verbose[-1]' # its --quiet

# ---- Measured once ----
expect 0 "^tune   1 shape measured, 0 remembered, 0 variants wrong here$" "$strata" train builtin:digits "${verbose[@]}" "${tuned[@]}" \
  --run-dir whole --progress none
[ "$(grep -n '^tune   shapes that are new' err | cut -d: -f1)" = 1 ] || fail "who waits is not told why: $(cat err)"
holds whole/log.txt '^tune   1 shape measured, 0 remembered, 0 variants wrong here$'
[ "$(kept cache)" = 1 ] || fail "$(kept cache) files of what was measured"
expect 0 "^tune   0 shapes measured, 1 remembered, 0 variants wrong here$" "$strata" train builtin:digits "${verbose[@]}" "${tuned[@]}" \
  --run-dir again --progress none
same whole again
for pass in FORWARD BACKWARD_W; do
  [ -n "$(chosen whole $pass)" ] || fail "run.json has no variant of $pass"
  [ "$(chosen whole $pass)" = "$(chosen again $pass)" ] || fail "$pass: $(chosen whole $pass), then $(chosen again $pass)"
done

# ---- Nothing is said where nothing may be, or where nobody asked ----
expect 0 "" "$strata" train builtin:digits "${common[@]}" "${tuned[@]}" --run-dir quiet
[ -s err ] && fail "--quiet and yet: $(cat err)"
holds quiet/log.txt '^tune   0 shapes measured, 1 remembered'
expect 0 "^run " "$strata" train builtin:digits "${verbose[@]}" --model tiny.yaml --run-dir untuned --progress none
grep -q '^tune' err && fail "nobody asked for it: $(cat err)"
holds untuned/recipe.yaml '^tune: "?off"?$'
expect 0 "^tune   [01] shapes? measured, [01] remembered, 0 variants wrong here$" "$strata" bench --model tiny.yaml --size 8 --channels 1 \
  --batch 32 --steps 2 --json --variants linear=plain --tune fast
json out
expect 0 "^tune   0 shapes measured, 1 remembered" "$strata" lr-find builtin:digits --model tiny.yaml --batch 32 --points 20 \
  --variants linear=plain --tune fast

# ---- Killed and resumed: the same bits, and nothing is measured, though nothing is remembered either ----
begin killed 50 "${tuned[@]}"
kill -KILL "$process"
wait "$process" 2> /dev/null
[ "$(wc -l < killed/steps.jsonl)" -lt 132 ] || fail "the run was over before it was killed"
XDG_CACHE_HOME=$work/empty expect 0 "resume after step" "$strata" train --resume killed --progress none
grep -q '^tune' err && fail "a resumed run tunes again: $(cat err)"
[ "$(kept empty)" = 0 ] || fail "a resumed run keeps what it did not measure"
same whole killed

# ---- A kernel that computes something else: told by name, not taken, and not taken when the run goes on ----
[ "$("$strata" devices --json | python3 -c 'import json, sys
print(next(d["subgroup"] if d["type"] == "software" else 0 for d in json.load(sys.stdin) if d["auto"]))')" = 0 ] && finish && exit
cp -r "$here/../shaders" wrong
sed -i 's/uint rounds = taps/uint rounds = taps \/ 2/' wrong/conv2d_subgroup.glsl
expect 0 "^wrong  conv2d \[32,8,8,1\] -> \[32,4,4,5\] kernel=3 stride=2 pad=1 train.*: FORWARD by subgroup is not what the plain kernel gives$" \
  "$strata" train builtin:digits "${verbose[@]}" "${tuned[@]}" --shader-dir wrong --run-dir wrongly --progress none
holds err '^tune   1 shape measured, 0 remembered, [1-9][0-9]* variants? wrong here$'
holds wrongly/log.txt '^wrong  conv2d .*: FORWARD by subgroup'
[ "$(chosen untuned FORWARD)" = subgroup ] || fail "a run without --tune takes $(chosen untuned FORWARD)"
[[ "$(chosen wrongly FORWARD)" = *subgroup* ]] && fail "a wrong variant was chosen: $(chosen wrongly FORWARD)"
first=$(chosen wrongly FORWARD)
sed -i 's/"status": "finished"/"status": "interrupted"/' wrongly/run.json
expect 0 "resume after step" "$strata" train --resume wrongly --progress none
grep -qE '^(tune|wrong)' err && fail "a resumed run tunes again: $(cat err)"
[ "$(chosen wrongly FORWARD)" = "$first" ] || fail "resumed, it took $(chosen wrongly FORWARD), not $first"
[ "$(kept cache)" = 1 ] || fail "shaders of a folder leave $(kept cache) files of what was measured"

finish
