#!/usr/bin/env python3
"""Train strata along the golden runs of tests/golden, compare with PyTorch's float64. Standard library only.

    compare_golden.py [--device auto|cpu|N|NAME] [--precision fp32|fp16] [--conv2d VARIANT] [RUN...]

By default: auto, fp32, the variants that strata chooses (direct sums on lavapipe, as the networks are small), every run.
Per run: the worst loss (relative), the worst tensor (|w - w64| / |w64|), the worst rate or momentum of
steps.jsonl (relative to the group's peak). Exits 0, 1 on any figure above its bound, 77 where no device is.
"""
import argparse
import json
import os
import sys
import tempfile

import oracle

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
# network -> (loss, weights); PyTorch's own float32 stands in golden.json, and batch norm amplifies rounding
BOUNDS = {"fp32": {"plain": (1e-6, 5e-6), "norm": (3e-5, 1e-3)},
          # src/check/rows.c lets sums by Winograd be ten times as far off as direct ones, NMSE 1e-9 for 1e-11; the
          # bounds of "norm" are for what batch norm amplifies, and have room for it
          "winograd": {"plain": (1e-5, 5e-5), "norm": (3e-5, 1e-3)},
          # 2^-11 is 5e-4, and activations and gradients are rounded to it at each of some ten layers
          "fp16": {"plain": (2e-3, 5e-3), "norm": (2e-3, 5e-3)}}
PRECISIONS = ("fp32", "fp16")
CONV2D_PASSES = {"FORWARD", "BACKWARD_X", "BACKWARD_W"}
RATE_BOUND = 1e-12  # the host computes rates in double


def worst_rate(steps, run):
    """The largest difference of any rate or momentum of any step, relative to its largest golden value."""
    worst = 0.0
    for group in range(len(run["lr"][0])):
        peak = max(row[group] for row in run["lr"])
        for step, row in zip(steps, run["lr"]):
            worst = max(worst, oracle.distance(step["lr"][group], row[group], peak))
    for step, momentum in zip(steps, run["mom"]):
        worst = max(worst, oracle.distance(step["mom"], momentum, max(run["mom"])))
    return worst


def check_weights(verdict, case, weights, wanted, bound):
    if not verdict.require(case, set(weights) == set(wanted),
                           f"tensors: wanted {sorted(wanted)}, got {sorted(weights)}"):
        return
    worst, where = -1.0, ""
    for name, (shape, values) in wanted.items():
        got = weights[name][0]
        if not verdict.require(case, got == shape, f"{name}: wanted {shape}, got {got}"):
            return
        far = oracle.relative_norm(weights[name][1], values)
        if far > worst:
            worst, where = far, name
    verdict.check(case, "weights", worst, bound, where)


def check_variant(verdict, case, variant, folder):
    """Did every pass of the convolutions take it? What is forced is not taken where the device does not admit it."""
    with open(os.path.join(folder, "run", "run.json"), encoding="utf-8") as file:
        launches = [launch for launch in json.load(file)["launches"]["first"]
                    if launch["node"].startswith("conv") and launch["pass"] in CONV2D_PASSES]
    took = sorted({launch["variant"] for launch in launches})
    passes = {launch["pass"] for launch in launches}
    verdict.require(case, took == [variant] and passes == CONV2D_PASSES,
                    f"conv2d: wanted {variant} in {sorted(CONV2D_PASSES)}, got {took} in {sorted(passes)}")


def check_run(verdict, case, run, options, folder):
    direct = options.conv2d != "winograd" or options.precision != "fp32"
    loss_bound, weight_bound = BOUNDS[options.precision if direct else "winograd"][run["network"]]
    network = os.path.join(GOLDEN, run["network"])
    files = ["--model", network + ".yaml", "--init", network + ".init.safetensors"]
    forced = ["--variants", "conv2d=" + options.conv2d] if options.conv2d else []
    steps, weights = oracle.train("builtin:digits", files + ["--device", options.device, "--precision", options.precision,
                                                              *forced, *run["options"]], folder)
    if options.conv2d:
        check_variant(verdict, case, options.conv2d, folder)
    numbers = [s["step"] for s in steps]
    if not verdict.require(case, numbers == list(range(len(run["loss"]))),
                           f"steps.jsonl: wanted steps 0..{len(run['loss']) - 1}, got {numbers}"):
        return
    far = [oracle.distance(s["loss"], wanted, wanted) for s, wanted in zip(steps, run["loss"])]
    verdict.check(case, "loss", max(far), loss_bound, f"step {far.index(max(far))}")
    wanted = oracle.read_safetensors(os.path.join(GOLDEN, case + ".final.safetensors"))
    check_weights(verdict, case, weights, wanted, weight_bound)
    verdict.check(case, "rates", worst_rate(steps, run), RATE_BOUND)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32", choices=PRECISIONS)
    parser.add_argument("--conv2d", metavar="VARIANT", help="force convolutions by name, and see that they took it")
    parser.add_argument("runs", nargs="*")
    options = parser.parse_args()
    with open(os.path.join(GOLDEN, "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)["runs"]
    unknown = set(options.runs) - set(golden)
    if unknown:
        parser.error(f"no golden run {', '.join(sorted(unknown))}; there are: {', '.join(golden)}")
    if not os.path.exists(oracle.strata_path()):
        print(f"no program at {oracle.strata_path()}: build it, or set STRATA", file=sys.stderr)
        sys.exit(1)
    verdict = oracle.Verdict()
    for case in options.runs or golden:
        with tempfile.TemporaryDirectory() as folder:
            check_run(verdict, case, golden[case], options, folder)
    verdict.exit()


if __name__ == "__main__":
    main()
