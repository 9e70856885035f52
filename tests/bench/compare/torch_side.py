"""PyTorch's side: see strata_side.c for what it reads and writes.

    torch_side.py MODEL.yaml STEM SIDE CHANNELS CLASSES BATCH nchw|channels_last THREADS
"""
import os
import sys
import time
import types

import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "oracle"))
# yaml_net asks for nothing else of the oracle's torch_side, which wants torchvision too.
sys.modules["torch_side"] = types.SimpleNamespace(nn=nn, torch=torch)
import yaml_net  # noqa: E402


def main():
    path, stem, side, channels, classes, batch, layout, threads = sys.argv[1:]
    side, channels, classes, batch = int(side), int(channels), int(classes), int(batch)
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    layout = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    net = yaml_net.load(path, (channels, side, side), classes, **({"stem": stem} if stem else {}))
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True  # as torchvision's networks have it
    net = net.to(memory_format=layout)
    x = torch.rand(batch, channels, side, side).contiguous(memory_format=layout)
    y = torch.arange(batch) % classes
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)

    def train():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def infer():
        with torch.no_grad():
            return net(x).sum()

    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    for line in sys.stdin:
        word, n = line.split()
        net.train(word == "train")
        step = train if word == "train" else infer
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(n)):
            result = step()
        result.item()
        print(f"{time.perf_counter() - start:.6f} {time.process_time() - cpu:.6f}", flush=True)


main()
