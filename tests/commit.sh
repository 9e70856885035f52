#!/usr/bin/env bash
# A build names the commit that it was made of: src/tool/commit.cmake in a repository that moves on, and outside of one.
#   commit.sh SOURCE
set -euo pipefail
command -v git > /dev/null || { echo "skipped: no git"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CEILING_DIRECTORIES=$work GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
out=$work/commit.h

named() { # SOURCE WANTED: what the next build says
    cmake -DSOURCE="$work/tree" -DOUT="$out" -P "$1/src/tool/commit.cmake"
    [ "$(cat "$out")" = "#define STRATA_COMMIT \"$2\"" ] || { echo "FAILED: $(cat "$out"), wanted $2" >&2; exit 1; }
}
head_of() { git -C "$work/tree" rev-parse --short=12 HEAD; }

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
echo "named as it was each time"
