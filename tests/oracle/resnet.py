#!/usr/bin/python3
"""ResNet-18, both stems, beside PyTorch in float64: one SGD step tensor by tensor, then 12 steps of losses.

    resnet.py [--device auto|cpu|N|NAME] [--stem imagenet|small] [--part step|losses]     (default: auto, all)

step    |dw - dw64| / |dw64| <= 5e-2 for every tensor, running statistics included.
losses  |loss - loss64| at each step within 5 times what PyTorch's own float32 has strayed from it by then.

A ReLU input that lies within rounding of zero passes its gradient or blocks it: one such flip moves a
tensor's dw by 1e-3 to 3e-2 and parts two runs' losses for good. So each line also says what PyTorch's float32
does there (the worst of five ways to run it), and the seeds of SETUPS are those where these five agree best.
"""
import argparse
import os
import tempfile

import oracle
import torch_side
from torch_side import torch

MEAN, STD = 0.5, 0.25
STEP_BOUND, SPREADS = 5e-2, 5
ULPS = 8 * 2.0 ** -23  # of a loss that happens to round well: nobody's float32 is held to less

# (part, stem, on the cpu): batch, channels, side, seed, learning rate. One channel makes an IDX folder, three
# a CIFAR folder. The reference is slow, so it gets small images. A step of rate 1 makes dw the gradient,
# large beside the rounding of w.
SETUPS = {
    ("step", "imagenet", True): (4, 1, 16, 1, 1.0),
    ("step", "small", True): (4, 1, 16, 1, 1.0),
    ("step", "imagenet", False): (8, 1, 64, 5, 1.0),
    ("step", "small", False): (8, 3, 32, 3, 1.0),
    ("losses", "imagenet", True): (8, 1, 32, 1, 3e-4),
    ("losses", "small", True): (8, 1, 16, 1, 3e-3),
    ("losses", "imagenet", False): (8, 1, 64, 4, 1e-3),
    ("losses", "small", False): (8, 3, 32, 3, 1e-3),
}


def strata_run(stem, device, run, data, init, folder):
    sgd = run["sgd"]
    return oracle.train(data, [
        "--model", "resnet18", "--stem", stem, "--head", "linear", "--init", init, "--device", device,
        "--opt", "sgd", "--lr", sgd["lr"], "--momentum", sgd["momentum"],
        "--weight-decay", sgd["weight_decay"], "--schedule", "constant",
        "--batch", run["batch"], "--steps", run["steps"],
        "--normalize", f"mean={MEAN},std={STD}"], folder)


def to_double(state):
    return {name: t.double() for name, t in state.items()}


def check_step(verdict, case, before, after, wanted, narrows):
    """A line for the worst tensor with PyTorch's float32 beside it, and one for every other out of bounds."""
    if not verdict.require(case, set(after) == set(wanted), f"not in both: {set(after) ^ set(wanted)}"):
        return
    counters = [n for n in wanted if n.endswith("num_batches_tracked")]
    verdict.require(case, all(after[n].item() == 1 for n in counters), "num_batches_tracked: wanted 1")
    names = [n for n in wanted if n not in counters]

    def far(state, name):
        dw = wanted[name] - before[name]
        return oracle.distance((state[name] - before[name] - dw).norm().item(), 0, dw.norm().item())
    error = {n: far(after, n) for n in names}
    worst = max(names, key=error.get)
    own = max(far(narrow, n) for narrow in narrows for n in names)
    verdict.check(case, "dw", error[worst], STEP_BOUND, f"{worst} (PyTorch's float32 at its worst {own:.1e})")
    for name in names:
        if name != worst and error[name] > STEP_BOUND:
            verdict.check(case, "dw", error[name], STEP_BOUND, name)


def strays(losses, wide, others):
    """The worst |loss - loss64| in units of how far `others` strayed by then, its step, their last spread."""
    spread, worst, where = 0.0, 0.0, 0
    for step, wanted in enumerate(wide):
        spread = max([spread, ULPS * abs(wanted)] + [abs(other[step] - wanted) for other in others])
        ratio = oracle.distance(losses[step], wanted, spread)
        if ratio > worst:
            worst, where = ratio, step
    return worst, where, spread


def check_losses(verdict, case, losses, wide, narrows):
    worst, where, spread = strays(losses, wide, narrows)
    own = max(strays(n, wide, narrows[:i] + narrows[i + 1:])[0] for i, n in enumerate(narrows))
    verdict.check(case, "spreads", worst, SPREADS, f"step {where} (PyTorch's float32 strays by {spread:.1e}; "
                  f"its runs among themselves: {own:.1f} spreads)")


def compare(verdict, part, stem, device, folder):
    batch, channels, side, seed, rate = SETUPS[part, stem, device == "cpu"]
    images, labels = torch_side.synthetic(batch * 12, channels, side)
    torch.manual_seed(seed)
    start = torch_side.resnet18(stem, channels)
    init, data = os.path.join(folder, "init.safetensors"), os.path.join(folder, "data")
    os.mkdir(data)
    (torch_side.write_cifar if channels == 3 else torch_side.write_idx)(data, images, labels)
    torch_side.save(init, start.state_dict())
    sgd = {"lr": rate, "momentum": 0.9, "weight_decay": 5e-4}
    if part == "step":
        sgd["weight_decay"] = 0.0
    run = {"steps": 1 if part == "step" else 12, "batch": batch, "mean": MEAN, "std": STD, "sgd": sgd}
    case = f"resnet18 {stem} {batch}x{channels}x{side}x{side} {device}"
    rows, weights = strata_run(stem, device, run, data, init, folder)
    wide = torch_side.sgd_run(start, torch.float64, images, labels, run)
    narrows = torch_side.float32_runs(start, images, labels, run)
    if part == "step":
        check_step(verdict, case, to_double(start.state_dict()), torch_side.from_file(weights),
                   to_double(wide[1]), [to_double(n[1]) for n in narrows])
    elif verdict.require(case, len(rows) == run["steps"], f"steps.jsonl: wanted 12 rows, got {len(rows)}"):
        check_losses(verdict, case, [r["loss"] for r in rows], wide[0], [n[0] for n in narrows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--stem", choices=("imagenet", "small"))
    parser.add_argument("--part", choices=("step", "losses"))
    options = parser.parse_args()
    verdict = oracle.Verdict()
    for part in [options.part] if options.part else ["step", "losses"]:
        for stem in [options.stem] if options.stem else ["imagenet", "small"]:
            with tempfile.TemporaryDirectory() as folder:
                compare(verdict, part, stem, options.device, folder)
    verdict.exit()


if __name__ == "__main__":
    main()
