"""The PyTorch half of the live comparisons: networks, weights as safetensors, data folders, training steps.

Importing this where torch is missing ends the script with 77 (skipped).
"""
import array
import copy
import os
import struct
import sys

import oracle

try:
    import torch
    import torchvision
    from torch import nn
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-torch python3-torchvision)")
    sys.exit(oracle.SKIPPED)

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
CLASSES = 10


def resnet18(stem, channels, classes=CLASSES):
    """torchvision's ResNet-18; stem "small" has a 3x3 convolution of stride 1 and no max pool."""
    net = torchvision.models.resnet18(num_classes=classes)
    size, stride, padding = (7, 2, 3) if stem == "imagenet" else (3, 1, 1)
    net.conv1 = nn.Conv2d(channels, 64, size, stride, padding, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    if stem == "small":
        net.maxpool = nn.Identity()
    return net


def save(path, state):
    """Write a state dict as safetensors: float32, counters as int64."""
    def flat(t):
        if t.dtype == torch.int64:
            return array.array("q", t.reshape(-1).tolist())
        return array.array("f", t.float().contiguous().numpy().tobytes())
    oracle.write_safetensors(path, {name: (tuple(t.shape), flat(t)) for name, t in state.items()})


def from_file(tensors):
    """oracle.read_safetensors' result as float64 tensors."""
    return {name: torch.tensor(values, dtype=torch.float64).reshape(shape)
            for name, (shape, values) in tensors.items()}


def synthetic(count, channels, side, seed=7):
    """[count, channels, side, side] u8 images: a smooth pattern per class under noise, and their labels."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randn(CLASSES, channels, 4, 4, generator=random)
    pattern = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
    labels = (torch.arange(count) % CLASSES)[torch.randperm(count, generator=random)]
    noise = torch.randn(count, channels, side, side, generator=random)
    return (127 + 40 * pattern[labels] + 40 * noise).clamp(0, 255).to(torch.uint8), labels


def write_idx(folder, images, labels):
    """Write an MNIST-like folder; images [count, 1, side, side] u8; the test files repeat the first rows."""
    for prefix, end in (("train", len(images)), ("t10k", CLASSES)):
        shape = (end, images.shape[2], images.shape[3])
        with open(os.path.join(folder, f"{prefix}-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, *shape) + images[:end].numpy().tobytes())
        with open(os.path.join(folder, f"{prefix}-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, end) + labels[:end].to(torch.uint8).numpy().tobytes())


def write_cifar(folder, images, labels):
    """Write a CIFAR-10 binary folder; images [count, 3, 32, 32] u8, shared out among five training files."""
    rows = torch.cat([labels.to(torch.uint8)[:, None], images.flatten(1)], 1)
    for number, part in enumerate(torch.tensor_split(rows, 5), 1):
        with open(os.path.join(folder, f"data_batch_{number}.bin"), "wb") as file:
            file.write(part.contiguous().numpy().tobytes())
    with open(os.path.join(folder, "test_batch.bin"), "wb") as file:
        file.write(rows[:CLASSES].contiguous().numpy().tobytes())
    with open(os.path.join(folder, "batches.meta.txt"), "w", encoding="ascii") as file:
        file.write("".join(f"class{k}\n" for k in range(CLASSES)))


def sgd_run(start, dtype, images, labels, run, shuffle=None):
    """Take run["steps"] SGD steps over the u8 images in file order; return (losses, final state dict).

    run: steps, batch, mean, std, and torch.optim.SGD's options under "sgd".
    shuffle: a generator that permutes the rows within each batch: the same step in other sums; or None.
    """
    net = copy.deepcopy(start).to(dtype).train()
    optimizer = torch.optim.SGD(net.parameters(), **run["sgd"])
    losses = []
    for step in range(run["steps"]):
        rows = torch.arange(step * run["batch"], (step + 1) * run["batch"])
        if shuffle is not None:
            rows = rows[torch.randperm(len(rows), generator=shuffle)]
        x = (images[rows].to(dtype) / 255 - run["mean"]) / run["std"]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, net.state_dict()


def float32_runs(start, images, labels, run):
    """PyTorch's own float32 five times: two memory layouts, both with rows permuted, its plain kernels.

    One run alone is a poor yardstick: a ReLU input within rounding of zero falls on one side or the other.
    """
    last = copy.deepcopy(start).to(memory_format=torch.channels_last)
    shuffle = torch.Generator().manual_seed(1)
    runs = [sgd_run(net, torch.float32, images, labels, run, how)
            for net, how in ((start, None), (last, None), (start, shuffle), (last, shuffle))]
    with torch.backends.mkldnn.flags(enabled=False):
        return runs + [sgd_run(start, torch.float32, images, labels, run)]
