#!/usr/bin/python3
"""Make the golden runs: small networks trained by PyTorch in float64 on the first digits, and what came out.

Two networks (plain.yaml, norm.yaml) by six recipes, 20 steps of 16 images each, three groups at different
rates, weight decay on every parameter. Writes beside itself
    NET.init.safetensors          the weights every run of NET starts from, float32
    NET-RECIPE.final.safetensors  the weights after the last step, float64 rounded to float32
    golden.json                   per run: strata's options, the losses, the rates of every step, and how far
                                  PyTorch's own float32 run lands from its float64 run (a yardstick)
Needs Debian's python3-torch and python3-sklearn. Same versions, same bytes.
"""
import array
import copy
import json
import os
import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "oracle"))
import oracle  # noqa: E402  (needs the path above)

STEPS, BATCH, MEAN, STD = 20, 16, 0.3, 0.4
DECAY = 0.05
GAIN = 2.0
SGD_RATES, ADAM_RATES = (0.05, 0.1, 0.15), (2e-3, 4e-3, 8e-3)
GROUPS = (("conv1.", "bn1."), ("conv2.", "bn2."), ("fc",))


class Net(nn.Module):
    """The twin of plain.yaml (norm=False) and norm.yaml (norm=True).

    No bias stands before a batch norm: its gradient is rounding alone, which Adam turns into full steps.
    """

    def __init__(self, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 5, 3, padding=1, bias=not norm)
        self.bn1 = nn.BatchNorm2d(5) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(5, 6, 3, padding=1, bias=not norm)
        self.bn2 = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.fc1 = nn.Linear(6 * 4 * 4, 11)
        self.fc2 = nn.Linear(11, 10)

    def forward(self, x):
        silu = nn.functional.silu
        x = silu(self.bn1(self.conv1(x)))
        x = silu(self.bn2(self.conv2(x)))
        x = nn.functional.avg_pool2d(x, 2)
        return self.fc2(silu(self.fc1(x.flatten(1))))


def sgd(groups, nesterov):
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=DECAY)


def adamw(groups):
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), weight_decay=DECAY)


# name -> (strata's options, rates, optimizer, one-cycle or not)
SGD_OPTIONS, ADAMW_OPTIONS = ["--opt", "sgd", "--momentum", "0.9"], ["--opt", "adamw", "--betas", "0.9,0.999"]
RECIPES = {
    "sgd": (SGD_OPTIONS, SGD_RATES, lambda g: sgd(g, False), False),
    "nesterov": (SGD_OPTIONS + ["--nesterov"], SGD_RATES, lambda g: sgd(g, True), False),
    # an eps that matters, so that its place in the formula is seen
    "adam": (["--opt", "adam", "--betas", "0.9,0.99", "--eps", "1e-3"], ADAM_RATES,
             lambda g: torch.optim.Adam(g, betas=(0.9, 0.99), eps=1e-3, weight_decay=DECAY), False),
    "adamw": (ADAMW_OPTIONS, ADAM_RATES, adamw, False),
    "sgd-one-cycle": (SGD_OPTIONS, SGD_RATES, lambda g: sgd(g, False), True),
    "adamw-one-cycle": (ADAMW_OPTIONS, ADAM_RATES, adamw, True),
}


def momentum_of(group):
    return group["momentum"] if "momentum" in group else group["betas"][0]


def run(start, recipe, dtype, images, labels):
    """Train a copy of `start` in `dtype`; return (losses, rates, momentum, final state dict)."""
    _, rates, optimizer_of, one_cycle = RECIPES[recipe]
    net = copy.deepcopy(start).to(dtype).train()
    named = list(net.named_parameters())
    groups = [{"params": [p for name, p in named if name.startswith(prefixes)], "lr": rate}
              for prefixes, rate in zip(GROUPS, rates)]
    assert sum(len(g["params"]) for g in groups) == len(named)
    optimizer = optimizer_of(groups)
    schedule = None
    if one_cycle:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, list(rates), total_steps=STEPS)
    losses, lr, momentum = [], [], []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        lr.append([g["lr"] for g in optimizer.param_groups])
        momentum.append(momentum_of(optimizer.param_groups[0]))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[rows].to(dtype)), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if schedule and step + 1 < STEPS:
            schedule.step()
    return losses, lr, momentum, net.state_dict()


def to_file(state):
    """A state dict as oracle.write_safetensors wants it: float32, counters as int64."""
    return {name: (tuple(t.shape), array.array("q", t.reshape(-1).tolist()) if t.dtype == torch.int64
                   else array.array("f", t.reshape(-1).tolist())) for name, t in state.items()}


def own_error(wide, narrow):
    """How far PyTorch's float32 run is from its float64 run: worst loss, worst tensor."""
    loss = max(abs(a - b) / abs(a) for a, b in zip(wide[0], narrow[0]))
    weight = max(((narrow[3][k].double() - w).norm() / w.norm()).item() for k, w in wide[3].items()
                 if w.dtype != torch.int64)
    return {"loss": loss, "weights": weight}


def main():
    torch.set_num_threads(1)
    digits = load_digits()
    images = (torch.tensor(digits.data, dtype=torch.float64).reshape(-1, 1, 8, 8) / 16 - MEAN) / STD
    labels = torch.tensor(digits.target)
    golden = {"made_with": f"torch {torch.__version__}", "steps": STEPS, "runs": {}}
    for network, norm in (("plain", False), ("norm", True)):
        torch.manual_seed(3)
        start = Net(norm)
        with torch.no_grad():  # PyTorch's start is so small that a net without norm hardly moves in 20 steps
            for p in start.parameters():
                p.mul_(1 if norm else GAIN)
        init = os.path.join(HERE, f"{network}.init.safetensors")
        oracle.write_safetensors(init, to_file(start.state_dict()))
        for recipe, (options, rates, _, one_cycle) in RECIPES.items():
            wide = run(start, recipe, torch.float64, images, labels)
            own = own_error(wide, run(start, recipe, torch.float32, images, labels))
            case = f"{network}-{recipe}"
            oracle.write_safetensors(os.path.join(HERE, f"{case}.final.safetensors"), to_file(wide[3]))
            golden["runs"][case] = {
                "network": network,
                "options": options + [
                    "--schedule", "one-cycle:torch" if one_cycle else "constant",
                    "--lr-groups", ",".join(map(repr, rates)), "--weight-decay", repr(DECAY),
                    "--batch", str(BATCH), "--steps", str(STEPS), "--normalize", f"mean={MEAN},std={STD}"],
                "loss": wide[0], "lr": wide[1], "mom": wide[2], "pytorch_float32": own}
            print(f"{case:24s} loss {wide[0][0]:.4f} -> {wide[0][-1]:.4f}  PyTorch's float32: "
                  f"losses {own['loss']:.1e}, weights {own['weights']:.1e}")
    with open(os.path.join(HERE, "golden.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
