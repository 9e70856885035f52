#!/usr/bin/python3
"""The zoo's descriptions beside torchvision's classes: names and shapes of the tensors, what they compute.

    zoo.py [NAME...]

For every file of assets/models that torchvision has a twin of: the file, read by yaml_net.py, gets the random
weights of the twin by name; outputs in evaluation and in training mode must agree in float64. Runs no strata.
"""
import os
import sys

import oracle
import torch_side
import yaml_net
from torch_side import torch, torchvision

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "assets", "models")
BOUND = 1e-9  # relative; the same float64 operations in the same order give 0
CLASSES = 7

# file, stem -> torchvision's network, side of the images
TWINS = {
    ("resnet18", "imagenet"): (torchvision.models.resnet18, 64),
    ("resnet34", "imagenet"): (torchvision.models.resnet34, 64),
    ("resnet50", "imagenet"): (torchvision.models.resnet50, 64),
    ("resnet18", "small"): (lambda num_classes: torch_side.resnet18("small", 3, num_classes), 32),
    ("vgg11-bn", None): (torchvision.models.vgg11_bn, 32),
}


def compare(verdict, name, stem):
    make, side = TWINS[name, stem]
    case = f"{name} {stem or ''}"
    torch.manual_seed(1)
    twin = make(num_classes=CLASSES).double()
    ours = yaml_net.load(os.path.join(MODELS, name + ".yaml"), (3, side, side), CLASSES, stem=stem).double()
    shapes = {n: tuple(t.shape) for n, t in twin.state_dict().items()}
    got = {n: tuple(t.shape) for n, t in ours.weights().items()}
    odd = sorted(set(got.items()) ^ set(shapes.items()))
    if not verdict.require(case, not odd, f"tensors in one only: {odd}"):
        return
    ours.load_weights(twin.state_dict())
    x = torch.randn(4, 3, side, side, dtype=torch.float64)
    for mode in (False, True):
        for net in (ours, twin):
            net.train(mode)
            for part in net.modules():  # dropout's masks are not the question
                part.train(mode and not isinstance(part, torch.nn.Dropout))
        with torch.no_grad():
            y, wanted = ours(x), twin(x)
        far = oracle.distance((y - wanted).norm().item(), 0, wanted.norm().item())
        verdict.check(case, "training" if mode else "eval", far, BOUND, f"{len(shapes)} tensors")


def main():
    verdict = oracle.Verdict()
    for name, stem in TWINS:
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            compare(verdict, name, stem)
    verdict.exit()


if __name__ == "__main__":
    main()
