#!/usr/bin/env python3
"""Training steps of PyTorch on a CUDA device, to stand beside `strata bench` on the same card.

  torch_gpu.py [small|imagenet:BATCHxSIDE ...]      default: small:64x32 small:512x32 imagenet:64x224

ResNet-18 of torchvision, SGD with momentum, float32; a line for each of TF32 off and on, NCHW and channels_last: the
median of 30 steps behind 8, each with a wait for the device.
"""
import sys
import time

import torch
import torch.nn.functional as F
import torchvision

CLASSES, WARM, STEPS = 10, 8, 30


def network(stem):
    model = torchvision.models.resnet18(num_classes=CLASSES)
    if stem == "small":
        model.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        model.maxpool = torch.nn.Identity()
    return model.cuda()


def seconds(stem, batch, side, last):
    layout = torch.channels_last if last else torch.contiguous_format
    model = network(stem).to(memory_format=layout)
    images = torch.randn(batch, 3, side, side, device="cuda").to(memory_format=layout)
    labels = torch.randint(0, CLASSES, (batch,), device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    times = []
    for _ in range(WARM + STEPS):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return sorted(times[WARM:])[STEPS // 2]


def main():
    torch.backends.cudnn.benchmark = True
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    for text in sys.argv[1:] or ["small:64x32", "small:512x32", "imagenet:64x224"]:
        stem, size = text.split(":")
        batch, side = map(int, size.split("x"))
        for tf32 in (False, True):
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            for last in (False, True):
                s = seconds(stem, batch, side, last)
                print(f"{text}  TF32 {'on' if tf32 else 'off'}  {'channels_last' if last else 'NCHW'}"
                      f"  {1e3 * s:.2f} ms  {batch / s:.0f} images/s", flush=True)


if __name__ == "__main__":
    main()
