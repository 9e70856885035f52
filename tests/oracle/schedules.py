#!/usr/bin/env python3
"""One-cycle in its three conventions: formulas, PyTorch's own scheduler, published tables, strata's rates.

    schedules.py [--vectors FILE.json] [--strata] [--device cpu]

Without options: the formulas below against torch.optim.lr_scheduler.OneCycleLR (exit 77 without torch).
--vectors: the formulas against tables B1, B2 and B4 of a learning-rates.json.
--strata:  the rates and momenta of steps.jsonl, 20 steps of tests/golden/plain.yaml, against the formulas.
"""
import argparse
import json
import math
import os
import tempfile

import oracle

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
PEAKS = (1e-6, 1e-4, 1e-2)
BOUND = 1e-12  # of the peak; cosines near a phase's end cancel


def cosine(begin, end, part):
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * part))


def two_phases(i, knot, end, levels):
    """levels (first, middle, last): the cosine from first to middle at `knot`, then to last at `end`."""
    first, middle, last = levels
    if i <= knot:
        return cosine(first, middle, i / knot)
    return cosine(middle, last, (i - knot) / (end - knot))


# convention -> (knot and end of batch numbers, for n batches; last rate as a part of the peak)
CONVENTIONS = {
    "one-cycle": (lambda n: (0.25 * n, n), 1e-5),
    "one-cycle:fastai1": (lambda n: (int(0.3 * n), n), 1 / 2.5e5),
    "one-cycle:torch": (lambda n: (0.3 * n - 1, n - 1), 1 / 25 / 1e4),
}


def rates(convention, i, n, peak):
    """(rate, momentum) of batch i of n."""
    span, last = CONVENTIONS[convention]
    return (two_phases(i, *span(n), (peak / 25, peak, peak * last)),
            two_phases(i, *span(n), (0.95, 0.85, 0.95)))


def check_torch(verdict):
    from torch_side import torch
    for n in (20, 100, 977):
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in PEAKS]
        optimizer = torch.optim.SGD(groups, lr=1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, list(PEAKS), total_steps=n)
        worst = 0.0
        for i in range(n):
            for group, peak in zip(optimizer.param_groups, PEAKS):
                rate, momentum = rates("one-cycle:torch", i, n, peak)
                worst = max(worst, oracle.distance(group["lr"], rate, peak),
                            oracle.distance(group["momentum"], momentum, 1))
            optimizer.step()
            if i + 1 < n:
                schedule.step()
        verdict.check(f"formula, torch's OneCycleLR, n={n}", "rates", worst, BOUND)


def check_vectors(verdict, path):
    with open(path, encoding="utf-8") as file:
        tables = json.load(file)
    for key, convention in (("B1 ", "one-cycle:fastai1"), ("B2 ", "one-cycle"), ("B4 ", "one-cycle:torch")):
        (table,) = [t for name, t in tables.items() if name.startswith(key)]
        worst = 0.0
        for number, *wanted in table["rows"]:
            got = [rates(convention, int(number.split()[0]), 100, peak) for peak in PEAKS]
            for (rate, momentum), peak, value in zip(got, PEAKS, wanted):
                worst = max(worst, oracle.distance(float(value), rate, peak),
                            oracle.distance(float(wanted[-1]), momentum, 1))
        verdict.check(f"formula, table {key}{convention}", "rates", worst, BOUND)


def check_strata(verdict, device):
    for convention in CONVENTIONS:
        with tempfile.TemporaryDirectory() as folder:
            steps, _ = oracle.train("builtin:digits", [
                "--model", os.path.join(GOLDEN, "plain.yaml"), "--device", device, "--batch", 16,
                "--steps", 20, "--opt", "sgd", "--momentum", 0.9, "--lr", ",".join(map(repr, PEAKS)),
                "--schedule", convention], folder)
        worst = 0.0
        for i, step in enumerate(steps):
            for value, peak in zip(step["lr"], PEAKS):
                rate, momentum = rates(convention, i, 20, peak)
                worst = max(worst, oracle.distance(value, rate, peak),
                            oracle.distance(step["mom"], momentum, 1))
        complete = len(steps) == 20 and all(len(step["lr"]) == 3 for step in steps)
        verdict.require(convention, complete, "steps.jsonl: wanted 20 rows of 3 rates")
        verdict.check(f"strata, {convention}", "rates", worst, BOUND)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors")
    parser.add_argument("--strata", action="store_true")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    verdict = oracle.Verdict()
    if options.vectors:
        check_vectors(verdict, options.vectors)
    if options.strata:
        check_strata(verdict, options.device)
    if not options.vectors and not options.strata:
        check_torch(verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
