#!/usr/bin/python3
"""Makes views.pth (torch.save: views of storages in every dtype) and views.safetensors (the same, contiguous).

Needs Debian's python3-torch 1.13 and safetensors from PyPI. views.pth differs between versions of torch; what is in
it does not.
"""
import collections
import os

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))

base = torch.arange(120, dtype=torch.float32) * 0.37 - 11
shared = base.reshape(4, 5, 6)
tensors = collections.OrderedDict(
    whole=base,
    turned=shared.permute(2, 0, 1),
    middle=shared[1:3, ::2, 4],
    row=base[7:13],
    wide=base[3:4].expand(3, 2),
    scalar=base[5],
    nothing=base[9:9].reshape(0, 4),
    parameter=torch.nn.Parameter(base[:6].reshape(2, 3).t()),
    half=base.half()[::3],
    brain=base.bfloat16()[1:8],
    double=base.double() / 3,
    long=torch.tensor([-(2**40), 7]).flip(0),
    int=torch.tensor([-5, 6], dtype=torch.int32),
    short=torch.tensor([-5, 6], dtype=torch.int16),
    char=torch.tensor([-5, 6], dtype=torch.int8),
    byte=torch.tensor([200, 6], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
)
for i in range(40):  # more values than a byte can number
    tensors[f"more.{i}"] = base[i % 7:i % 7 + 2]

saved = {"epoch": 3, "best": 0.5, "note": None, "done": True, "list": [1, (2, 3), -(2**40)],
         "state_dict": collections.OrderedDict(("module." + k, v) for k, v in tensors.items())}
torch.save(saved, os.path.join(HERE, "views.pth"))
save_file({k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()},
          os.path.join(HERE, "views.safetensors"))
