#!/usr/bin/env python3
"""Convert scikit-learn's digits.csv.gz into digits.bin, the data set embedded in Strata.

  make_digits.py [/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz]

digits.bin is one zlib stream of 1797 * 65 bytes: the pixels [1797, 8, 8], each in 0..16, then the labels [1797],
each in 0..9, in the order of the source. It lies beside this script and is the same whenever it is made again
by the same zlib.
"""
import gzip
import pathlib
import sys
import zlib

IMAGES, PIXELS = 1797, 64
DEBIAN = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"

source = sys.argv[1] if len(sys.argv) > 1 else DEBIAN
with gzip.open(source, "rt") as lines:
    rows = [[int(value) for value in line.split(",")] for line in lines]
if len(rows) != IMAGES or any(len(row) != PIXELS + 1 for row in rows):
    sys.exit(f"{source}: wanted {IMAGES} rows of {PIXELS + 1} values")
pixels = [value for row in rows for value in row[:PIXELS]]
labels = [row[PIXELS] for row in rows]
if not set(pixels) <= set(range(17)) or set(labels) != set(range(10)):
    sys.exit(f"{source}: wanted pixels in 0..16 and labels in 0..9")

packed = zlib.compress(bytes(pixels + labels), 9)
target = pathlib.Path(__file__).with_name("digits.bin")
target.write_bytes(packed)
print(f"{target}: {len(packed)} bytes")
