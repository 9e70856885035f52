#!/usr/bin/env python3
"""Training steps of Strata and of others, side by side: see README.md.

Every contestant is a process of its own that waits for its turn; a round gives each a turn on the same cores, and
what is told are medians of a round's ratios, so that another program's load cancels out.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
CLASSES = 10
# name: model, stem, side, channels, batch
WORKLOADS = {
    "A": ("small-cnn", "", 28, 1, 64),
    "B": ("resnet18", "small", 32, 3, 64),
    "C8": ("resnet18", "imagenet", 64, 3, 8),
    "C32": ("resnet18", "imagenet", 64, 3, 32),
    "D2": ("resnet18", "imagenet", 224, 3, 2),
    "D16": ("resnet18", "imagenet", 224, 3, 16),
    "E": ("resnet50", "imagenet", 64, 3, 16),
    "F": ("mobilenet-v1", "", 64, 3, 32),
}
QUICK = ["A", "B"]
GEMM_FLOPS = 2 * 1024**3
SLOW = 10  # seconds: a side whose steps take longer has two turns


def model_file(name):
    return os.path.join(SOURCE, "assets", "models", name + ".yaml")


def layers_of(model, stem):
    """The layers of a model file with its choices made: what the side without YAML reads."""
    with open(model_file(model), encoding="utf-8") as file:
        description = yaml.safe_load(file)
    chosen = {key: values[0] for key, values in description.get("choices", {}).items()}
    if stem:
        chosen["stem"] = stem
    layers = []
    for layer in description["layers"]:
        choice, _, value = layer.pop("when", "").partition("=")
        if not choice or chosen[choice] == value:
            layers.append(layer)
    return layers


def avx512():
    try:
        with open("/proc/cpuinfo", encoding="ascii") as file:
            return "avx512f" in file.read()
    except OSError:
        return False


class Side:
    """A contestant of one workload: a process that was started and takes turns."""

    def __init__(self, name, command, options, env=None, strata=False):
        self.name = name
        self.said = ""
        self.why = ""
        self.turns = []  # (seconds, processor seconds) of one step in each round
        self.strata = strata  # is it what the others are compared with?
        # OpenBLAS is to take the kernels that it would: some machines name an older processor's for all programs.
        own = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        full = dict(own, OMP_NUM_THREADS=str(len(options.cores)), **(env or {}))
        self.errors = tempfile.TemporaryFile(mode="w+")
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=full,
                preexec_fn=lambda: os.sched_setaffinity(0, options.cores))
            self.said = self.process.stdout.readline().strip()
        except OSError as error:
            self.process = None
            self.why = str(error)
        if not self.said:
            self.fail()

    def fail(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.errors.seek(0)
            lines = [line for line in self.errors.read().splitlines() if line.strip()]
            sys.stderr.writelines(f"{self.name}: {line}\n" for line in lines)
            # An exception's own line: a stack's lines may name errors, too.
            own = [line for line in lines if re.match(r"[\w.]*Error\b", line)]
            self.why = (own[:1] or lines[-1:] or ["it ended"])[0]
        self.process = None

    def turn(self, word, n):
        """Seconds and processor seconds of one of n steps; None when it has ended."""
        if not self.process:
            return None
        try:
            self.process.stdin.write(f"{word} {n}\n")
            self.process.stdin.flush()
            wall, cpu = (float(v) / n for v in self.process.stdout.readline().split())
        except (OSError, ValueError):
            self.fail()
            return None
        return wall, cpu

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def lavapipe(manifest):
    """The environment of a Vulkan driver: what strata's command line sets, too. Mesa keeps shaders of all widths under
    one name, so those of 512 bits have a folder of their own."""
    env = {}
    if avx512() and "LP_NATIVE_VECTOR_WIDTH" not in os.environ:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        env["LP_NATIVE_VECTOR_WIDTH"] = "512"
        env["MESA_SHADER_CACHE_DIR"] = os.environ.get("MESA_SHADER_CACHE_DIR", os.path.join(home, "strata", "mesa-512"))
    return dict(env, VK_DRIVER_FILES=manifest, VK_ICD_FILENAMES=manifest) if manifest else env


def open_sides(workload, options, folder):
    model, stem, side, channels, batch = WORKLOADS[workload]
    numbers = [str(v) for v in (side, channels, CLASSES, batch)]
    threads = str(len(options.cores))
    strata = [os.path.join(options.build, "strata_side"), model, stem, *numbers, *options.set]
    sides = [Side("strata", strata, options, lavapipe(None), strata=True)]
    driver = ", " + os.path.basename(options.mesa) if options.mesa else ""
    if options.mesa:
        sides.append(Side("strata" + driver, strata, options, lavapipe(options.mesa), strata=True))
    for python in options.torch:
        for layout in ("nchw", "channels_last"):
            command = [python, os.path.join(HERE, "torch_side.py"), model_file(model), stem, *numbers, layout, threads]
            side = Side(f"torch {layout}", command, options)
            if side.said:
                side.name = f"torch {side.said.split()[1].split('+')[0].rstrip(',')} {layout}"
            sides.append(side)
    if options.npm:
        layers = os.path.join(folder, f"{workload}.json")
        with open(layers, "w", encoding="utf-8") as file:
            json.dump(layers_of(model, stem), file)
        command = ["node", os.path.join(HERE, "tfjs_side.mjs"), options.npm, layers, *numbers]
        sides.append(Side("tfjs WebGPU" + driver, command, options, lavapipe(options.mesa)))
    if options.blas:
        sides.append(Side("OpenBLAS", [sys.executable, os.path.join(HERE, "blas_side.py"), threads], options))
    return sides


def measure(sides, word, options):
    """Rounds of turns. A step before them warms up, and a second one says how many fit a turn."""
    steps, turns = {}, {}
    for side in sides:
        side.turns = []
        first = side.turn(word, 1)
        slow = first and first[0] > SLOW
        again = first if slow else side.turn(word, 1)
        if again:
            steps[side] = max(1, min(200, round(options.seconds / max(again[0], 1e-6))))
            turns[side] = min(options.rounds, 2) if slow else options.rounds
    for number in range(options.rounds):
        for side in sides:
            side.turns.append(side.turn(word, steps[side]) if number < turns.get(side, 0) else None)


def ratio(first, other, which):
    """How many times as fast `first` is: the median over rounds that both had; None: there were none. which: 0 by the
    clock, 1 by processor time."""
    pairs = [(a[which], b[which]) for a, b in zip(first.turns, other.turns) if a and b and a[which] > 0]
    return statistics.median(b / a for a, b in pairs) if pairs else None


def times(value, width):
    return f"{'-' if value is None else f'{value:.2f}x':>{width}}"


def headings(stratas):
    """Two lines: under the name of each Strata side its two ratios."""
    names = [side.name.removesuffix(".json")[:16] + " is" for side in stratas]
    print(f"   {'':28} {'':9} {'':8}" + "".join(f"  {name:>19}" for name in names))
    print(f"   {'':28} {'images/s':>9} {'CPU s':>8}" + f"  {'by clock':>10} {'by CPU':>8}" * len(stratas))


def report(workload, word, sides, options):
    model, stem, side, channels, batch = WORKLOADS[workload]
    print(f"\n{workload}  {word}: {model}{', ' + stem + ' stem' if stem else ''}, {side}x{side}x{channels}, batch {batch}")
    stratas = [side for side in sides if side.strata]
    headings(stratas)
    rows = []
    for other in sides:
        turns = [t for t in other.turns if t]
        if not turns:
            print(f"   {other.name:28} cannot run: {other.why}", flush=True)
            continue
        wall, cpu = (statistics.median(t[i] for t in turns) for i in (0, 1))
        row = {"workload": workload, "phase": word, "side": other.name, "version": other.said, "seconds": wall,
               "cpu_seconds": cpu, "times": {s.name: ratio(s, other, 0) for s in stratas},
               "times_cpu": {s.name: ratio(s, other, 1) for s in stratas}}
        rows.append(row)
        if other.name == "OpenBLAS":
            print(f"   {other.name:28} {GEMM_FLOPS / wall * 1e-9:6.0f} GFLOP/s, {GEMM_FLOPS / cpu * 1e-9:.0f} a CPU second")
            continue
        against = [f"  {times(row['times'][s.name], 10)} {times(row['times_cpu'][s.name], 8)}" if s is not other
                   else " " * 21 for s in stratas]
        print(f"   {other.name:28} {batch / wall:9.1f} {cpu:8.3f}{''.join(against)}".rstrip(), flush=True)
    return rows


def take_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="of " + ", ".join(WORKLOADS))
    parser.add_argument("--quick", action="store_true", help=f"workloads {', '.join(QUICK)}, 3 rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn, at least one step [2]")
    parser.add_argument("--infer", action="store_true", help="inference too")
    parser.add_argument("--cores", default="0,1", type=lambda s: {int(v) for v in s.split(",")}, help="[0,1]")
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"), help="the folder with strata_side")
    parser.add_argument("--torch", action="append", help="a Python that has torch; may be given again [/usr/bin/python3]")
    parser.add_argument("--mesa", help="another Vulkan driver's manifest: strata on it too, and tfjs")
    parser.add_argument("--npm", help="a folder where npm installed webgpu and tfjs")
    parser.add_argument("--no-blas", dest="blas", action="store_false")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of strata's recipe")
    parser.add_argument("--json", help="write every figure to this file")
    options = parser.parse_args()
    if options.quick:
        options.workloads, options.rounds = ",".join(QUICK), 3
    options.torch = options.torch or ["/usr/bin/python3"]
    wrong = set(options.workloads.split(",")) - set(WORKLOADS)
    if wrong:
        parser.error(f"--workloads: there is no {', '.join(sorted(wrong))}")
    if options.mesa and not os.path.isfile(options.mesa):
        parser.error(f"--mesa: {options.mesa}: not a file")
    return options


def main():
    options = take_options()
    rows = []
    said = {}
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads.split(","):
            sides = open_sides(workload, options, folder)
            for word in ["train", "infer"] if options.infer else ["train"]:
                measure(sides, word, options)
                rows += report(workload, word, sides, options)
            said.update({side.name + " " + side.said: side for side in sides if side.said})
            for side in sides:
                side.close()
    print("\nversions")
    for side in said.values():
        print(f"   {side.name:28} {side.said}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 0 if rows else 1


sys.exit(main())
