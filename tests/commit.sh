#!/usr/bin/env bash
# A build names the commit that it was made of: src/tool/commit.cmake in a repository that moves on, and outside of one.
# The tuner's sum over the host code, src/tool/launchers.cmake, changes with that code alone.
#   commit.sh SOURCE
set -euo pipefail
sum_of() { # SOURCE: of the tree
    cmake -DSOURCE="$work/tree" -DOUT="$work/launchers.h" -P "$1/src/tool/launchers.cmake"
    cat "$work/launchers.h"
}
moves() { # SOURCE FILE same|other: does the sum change with the file?
    local before after
    before=$(sum_of "$1")
    echo more >> "$work/tree/$2"
    after=$(sum_of "$1")
    [ "$([ "$before" = "$after" ] && echo same || echo other)" = "$3" ] || { echo "FAILED: $2 leaves $after, wanted $3" >&2; exit 1; }
}

command -v git > /dev/null || { echo "skipped: no git"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
out=$work/commit.h

named() { # SOURCE WANTED: what the next build says
    cmake -DSOURCE="$work/tree" -DOUT="$out" -P "$1/src/tool/commit.cmake"
    [ "$(cat "$out")" = "#define STRATA_COMMIT \"$2\"" ] || { echo "FAILED: $(cat "$out"), wanted $2" >&2; exit 1; }
}
head_of() { git -C "$work/tree" rev-parse --short=12 HEAD; }

git -C "$work" init -q
git -C "$work" commit -qm around --allow-empty
mkdir "$work/tree"
named "$1" ""
git -C "$work/tree" init -q
for text in one two; do
    echo $text > "$work/tree/file"
    git -C "$work/tree" add file
    git -C "$work/tree" commit -qm $text
    named "$1" "$(head_of)"
done
touch -d '2001-01-01' "$out"
named "$1" "$(head_of)"
[ "$(date -r "$out" +%Y)" = 2001 ] || { echo "FAILED: written again though nothing changed" >&2; exit 1; }
echo three > "$work/tree/file"
named "$1" "$(head_of)-dirty"

mkdir -p "$work/tree/src/ops" "$work/tree/src/vulkan" "$work/tree/src/graph" "$work/tree/src/cli"
grep -qE '^#define STRATA_LAUNCHERS "[0-9a-f]{16}"$' <(sum_of "$1") || { echo "FAILED: $(sum_of "$1")" >&2; exit 1; }
for file in ops/new.c ops/new.c ops/op.h vulkan/recording.c graph/trial.c graph/tune.c; do moves "$1" src/$file other; done
for file in cli/train.c graph/plan.c; do moves "$1" src/$file same; done
echo "named as it was each time"
