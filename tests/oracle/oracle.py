"""What every comparison shares, standard library only: safetensors files, a run of `strata train`, verdicts.

Tensors are (shape, array) pairs: `shape` a tuple, `array` a flat array.array in row-major file order.
"""
import array
import json
import math
import os
import struct
import subprocess
import sys

SKIPPED = 77  # what ctest takes for "skipped"
NO_DEVICE = 3  # strata's exit code where no Vulkan device can be used
TYPES = {"F32": "f", "F64": "d", "I64": "q", "I32": "i", "U8": "B"}


def read_safetensors(path):
    """Return {name: (shape, array)} of a safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = array.array(TYPES[entry["dtype"]])
        values.frombytes(data[8 + length + begin:8 + length + end])
        if sys.byteorder == "big":
            values.byteswap()
        tensors[name] = (tuple(entry["shape"]), values)
    return tensors


def write_safetensors(path, tensors):
    """Write {name: (shape, array)}; wider types first, then by name, as the reference writer orders them."""
    codes = {code: name for name, code in TYPES.items()}
    header, offset, blobs = {}, 0, []
    for name in sorted(tensors, key=lambda key: (-tensors[key][1].itemsize, key)):
        shape, values = tensors[name]
        if sys.byteorder == "big":
            values = array.array(values.typecode, values)
            values.byteswap()
        blob = values.tobytes()
        header[name] = {"dtype": codes[values.typecode], "shape": list(shape),
                        "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_steps(run_dir):
    """Return the rows of RUN/steps.jsonl, in file order."""
    with open(os.path.join(run_dir, "steps.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def strata_path():
    """The program under test: $STRATA, or build/strata of this source tree."""
    tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ.get("STRATA", os.path.join(tree, "build", "strata"))


def train(data, arguments, folder):
    """Run `strata train DATA ARGUMENTS` into FOLDER/run, saving FOLDER/after.safetensors.

    Returns (steps, weights). Ends the script: 77 where there is no Vulkan device, 1 on any other failure.
    """
    run_dir, saved = os.path.join(folder, "run"), os.path.join(folder, "after.safetensors")
    command = [strata_path(), "train", str(data), *map(str, arguments),
               "--order", "sequential", "--augment", "none", "--valid", "none", "--log-every", "1",
               "--seed", "1", "--run-dir", run_dir, "--save", saved]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    if done.returncode == NO_DEVICE:
        print("skipped: no Vulkan device")
        sys.exit(SKIPPED)
    if done.returncode != 0:
        print(f"{' '.join(command)}\n{done.stdout}\nexit code {done.returncode}")
        sys.exit(1)
    return read_steps(run_dir), read_safetensors(saved)


def distance(value, wanted, scale):
    """|value - wanted| / |scale|, infinite where any of them is not a number."""
    far = abs(value - wanted) / abs(scale)
    return far if far == far else math.inf


def norm(values):
    return math.sqrt(math.fsum(v * v for v in values))


def relative_norm(values, wanted):
    """|values - wanted| / |wanted|, infinite for a NaN; an all-zero wanted tensor asks for zeros."""
    far = norm([v - w for v, w in zip(values, wanted)])
    size = norm(wanted)
    if far != far:
        return math.inf
    return far / size if size > 0 else (0.0 if far == 0 else math.inf)


class Verdict:
    """Collects figures against bounds, prints one line each, and knows the exit code."""

    def __init__(self):
        self.failed = 0

    def check(self, case, figure, value, bound, where=""):
        good = value <= bound  # false for NaN
        self.failed += not good
        word = "ok  " if good else "FAIL"
        print(f"{word} {case:34s} {figure:8s} {value:9.2e} <= {bound:7.1e}  {where}", flush=True)

    def require(self, case, good, what):
        if not good:
            self.failed += 1
            print(f"FAIL {case:34s} {what}", flush=True)
        return good

    def exit(self):
        print(f"{self.failed} failed" if self.failed else "all within their bounds")
        sys.exit(1 if self.failed else 0)
