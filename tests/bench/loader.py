#!/usr/bin/env python3
"""Images/s of an image folder beside PyTorch's DataLoader with Pillow, on the same files, run by run in turn.

  loader.py [--build build] [--rounds 5] [--files DIR]

Two sets are made of the photos in scikit-learn: 2000 PNG of 64 px, and 600 JPEG of 300 px (quality 90), which are
brought to 128 px. Both sides read every file once, decode, resize (antialiased bilinear, shorter side, centre),
scale to normalised floats and make shuffled batches of 64. One thread is one decoding thread here, one worker
process there (beside its main process). Prints medians over the rounds of images per second of the clock and of
CPU time, which is what counts where other work runs on the machine, and of the rounds' ratios.
"""
import argparse
import os
import resource
import statistics
import subprocess
import time

import numpy as np
import sklearn.datasets
import torch
from PIL import Image
from torchvision import datasets, transforms


def make(root):
    photos = [Image.fromarray(p) for p in sklearn.datasets.load_sample_images().images]
    rng = np.random.default_rng(1)
    for kind, n, side in (("png", 2000, 64), ("jpeg", 600, 300)):
        for i in range(n):
            path = f"{root}/{kind}/{i % 10}/{i:04d}.{kind}"
            if os.path.exists(path):
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            photo = photos[i % 2]
            x, y = rng.integers(0, photo.width - 300), rng.integers(0, photo.height - 300)
            image = photo.crop((x, y, x + 300, y + 300))
            image.resize((side, side), Image.BILINEAR).save(path, quality=90)


def cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def torch_side(folder, size, workers):
    steps = [] if size == 64 else [transforms.Resize(size), transforms.CenterCrop(size)]
    steps += [transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
    data = datasets.ImageFolder(folder, transforms.Compose(steps))
    for _ in torch.utils.data.DataLoader(data, batch_size=64, shuffle=True, num_workers=workers):
        pass
    return len(data)


def strata_side(build, folder, size, threads):
    out = subprocess.run([f"{build}/loader_bench", folder, str(size), str(threads)], check=True, capture_output=True)
    return int(out.stdout.split()[0])


def rates(side, *args):
    """Images per second of the clock and of CPU time."""
    clock, cpu = time.monotonic(), cpu_seconds()
    n = side(*args)
    return n / (time.monotonic() - clock), n / (cpu_seconds() - cpu)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--files", default="/tmp/strata-loader-files")
    a = p.parse_args()
    torch.set_num_threads(1)
    make(a.files)
    print("                        img/s                      img/s of CPU time")
    print("files size threads      strata    torch  ratio     strata    torch  ratio")
    for kind, size in (("png", 64), ("jpeg", 128)):
        for threads in (1, 2):
            folder = f"{a.files}/{kind}"
            pairs = [(rates(strata_side, a.build, folder, size, threads), rates(torch_side, folder, size, threads))
                     for _ in range(a.rounds)]
            line = f"{kind:5} {size:4} {threads:7}"
            for k in (0, 1):
                ours, theirs = [p[0][k] for p in pairs], [p[1][k] for p in pairs]
                ratio = statistics.median(x / y for x, y in zip(ours, theirs))
                line += f"  {statistics.median(ours):10.0f} {statistics.median(theirs):8.0f} {ratio:6.2f}"
            print(line, flush=True)


main()
