#!/usr/bin/python3
"""Fashion-MNIST on both sides with one recipe: accuracies beside each other, and loss curves in one plot.

    fashion.py accuracy --model resnet18 --stem imagenet --epochs 3 [--strata] [--device auto]
    fashion.py accuracy --model FILE.yaml --epochs 5 [--strata]
    fashion.py curve --steps 300 --out curve.png [--strata | --run RUN]

PyTorch writes its initial weights as safetensors, so both start equal, see the same batches (file order, no
augmentation) and the same rates (one-cycle:torch, AdamW). --strata trains strata too, and judges its weights
in PyTorch over all 10,000 test images; `accuracy` then exits 1 where they are more than a point apart.
Without it the strata command line is printed. PyTorch takes as many threads as --threads says (default 1).
"""
import argparse
import gzip
import json
import os
import sys
import tempfile
import time

import oracle
import torch_side
import yaml_net
from torch_side import nn, torch

FOLDER = "/usr/share/datasets/fashion-mnist"  # Debian's dataset-fashion-mnist
MEAN, STD, BATCH = 0.286, 0.353, 64
RATE, DECAY = 1e-3, 1e-2
POINT = 0.01


def read_part(folder, part):
    """Images [n, 1, 28, 28] normalised f32 and labels [n] of an IDX folder, gzipped or not."""
    def read(kind, header):
        path = os.path.join(folder, f"{part}-{kind}-ubyte")
        opened = open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz")
        with opened as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)
    images = read("images-idx3", 16).reshape(-1, 1, 28, 28)
    return (images.float() / 255 - MEAN) / STD, read("labels-idx1", 8).long()


def network(options):
    torch.manual_seed(options.seed)
    if options.model.endswith((".yaml", ".yml")):
        return yaml_net.load(options.model, (1, 28, 28), torch_side.CLASSES)
    return torch_side.resnet18(options.stem, 1)


def named(net):
    """Its weights under the names of strata's files."""
    return net.weights() if isinstance(net, yaml_net.YamlNet) else net.state_dict()


def train(net, images, labels, steps, options):
    """AdamW under torch's one-cycle over batches in file order; return the losses."""
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.lr, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=steps)
    per_epoch = len(images) // BATCH
    losses, begun = [], time.monotonic()
    for step in range(steps):
        rows = slice(step % per_epoch * BATCH, (step % per_epoch + 1) * BATCH)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step + 1 < steps:
            schedule.step()
        if step % 100 == 99:
            speed = (step + 1) * BATCH / (time.monotonic() - begun)
            print(f"pytorch step {step + 1}/{steps} loss {losses[-1]:.4f} {speed:.0f} images/s",
                  file=sys.stderr, flush=True)
    return losses


@torch.no_grad()
def accuracy(net, images, labels):
    net.eval()
    return sum((net(x).argmax(1) == y).sum().item()
               for x, y in zip(images.split(500), labels.split(500))) / len(labels)


def strata_arguments(options, steps, init):
    model = [options.model] if options.model.endswith((".yaml", ".yml")) else \
        [options.model, "--stem", options.stem, "--head", "linear"]
    return ["--model", *model, "--init", init, "--device", options.device, "--opt", "adamw",
            "--lr", options.lr, "--weight-decay", DECAY, "--schedule", "one-cycle:torch",
            "--batch", BATCH, "--steps", steps, "--normalize", f"mean={MEAN},std={STD}"]


def judge(options, folder):
    """Train both for options.epochs (or options.steps), print both accuracies, return the exit code."""
    images, labels = read_part(options.data, "train")
    test = read_part(options.data, "t10k")
    steps = options.steps or options.epochs * (len(images) // BATCH)
    net, init = network(options), os.path.join(folder, "init.safetensors")
    torch_side.save(init, named(net))
    losses = train(net, images, labels, steps, options)
    own = accuracy(net, *test)
    print(f"pytorch  {steps} steps, last loss {losses[-1]:.4f}, test accuracy {100 * own:.2f} %", flush=True)
    if not options.strata:
        print("strata train", options.data, *strata_arguments(options, steps, "INIT.safetensors"),
              "--order sequential --augment none")
        return 0
    rows, weights = oracle.train(options.data, strata_arguments(options, steps, init), folder)
    if isinstance(net, yaml_net.YamlNet):
        net.load_weights(torch_side.from_file(weights))
    else:
        net.load_state_dict(torch_side.from_file(weights))
    theirs = accuracy(net, *test)
    print(f"strata   {steps} steps, last loss {rows[-1]['loss']:.4f}, test accuracy {100 * theirs:.2f} %")
    print(f"apart by {100 * (theirs - own):+.2f} points")
    return 0 if abs(theirs - own) <= POINT else 1


def plot(path, pytorch, strata, title):
    """Both curves, raw and smoothed, and their difference below."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (top, below) = pyplot.subplots(2, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 1))
    for losses, name, colour in ((pytorch, "PyTorch", "tab:orange"), (strata, "Strata", "tab:blue")):
        smooth, value = [], losses[0]
        for loss in losses:
            value += 0.1 * (loss - value)
            smooth.append(value)
        top.plot(losses, color=colour, alpha=0.3, linewidth=0.8)
        top.plot(smooth, color=colour, label=f"{name}, batch loss and its running mean", linewidth=1.6)
    below.plot([s - p for p, s in zip(pytorch, strata)], color="black", linewidth=0.8)
    top.set(title=title, ylabel="cross-entropy, nats")
    top.legend()
    below.set(xlabel="step", ylabel="Strata - PyTorch")
    for axes in (top, below):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def curve(options, folder):
    """Losses of both over options.steps steps, one plot; with --run, against a run that is there already."""
    images, labels = read_part(options.data, "train")
    steps, net = options.steps or 300, network(options)
    init = options.init or os.path.join(folder, "init.safetensors")
    torch_side.save(init, named(net))
    if options.run:
        rows = oracle.read_steps(options.run)
    elif options.strata:
        rows, _ = oracle.train(options.data, strata_arguments(options, steps, init), folder)
    else:
        print("strata train", options.data, *strata_arguments(options, steps, init),
              "--order sequential --augment none --valid none --log-every 1 --run-dir RUN")
        return 0 if options.init else 2  # without --init the weights are gone when this ends
    pytorch = train(net, images, labels, steps, options)
    strata = [row["loss"] for row in rows][:steps]
    if [row["step"] for row in rows[:steps]] != list(range(steps)):
        print(f"steps.jsonl: wanted steps 0..{steps - 1} without a gap (--log-every 1), got {len(rows)} rows")
        return 1
    with open(options.out + ".json", "w", encoding="utf-8") as file:
        json.dump({"pytorch": pytorch, "strata": strata}, file)
    plot(options.out, pytorch, strata, f"ResNet-18, {options.stem} stem, Fashion-MNIST, batch {BATCH}")
    last = min(50, steps)
    means = [sum(losses[-last:]) / last for losses in (pytorch, strata)]
    print(f"mean loss of the last {last} steps: pytorch {means[0]:.4f}, strata {means[1]:.4f}; {options.out}")
    return 0


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("what", choices=("accuracy", "curve"))
    parser.add_argument("--model", default="resnet18", help="resnet18 or FILE.yaml")
    parser.add_argument("--stem", choices=("imagenet", "small"), help="default: imagenet; for curve: small")
    parser.add_argument("--data", default=FOLDER)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, help="instead of --epochs")
    parser.add_argument("--lr", type=float, default=RATE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto", help="strata's")
    parser.add_argument("--strata", action="store_true", help="train strata too")
    parser.add_argument("--run", help="curve: read strata's losses from this run folder")
    parser.add_argument("--init", help="curve: where to leave the initial weights")
    parser.add_argument("--out", default="curve.png", help="curve: the plot")
    options = parser.parse_args()
    options.stem = options.stem or ("small" if options.what == "curve" else "imagenet")
    torch.set_num_threads(options.threads)
    if not os.path.isdir(options.data):
        print(f"skipped: no {options.data} (Debian: dataset-fashion-mnist)")
        sys.exit(oracle.SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit((judge if options.what == "accuracy" else curve)(options, folder))


if __name__ == "__main__":
    main()
