#!/usr/bin/python3
"""Weights and networks between Strata and other programs, live: PyTorch, safetensors, ONNX Runtime, OpenCV.

    exchange.py [torch] [onnx] [golden]       all three without a word
    exchange.py onnx MODEL...                 these models only
    exchange.py record                        makes the golden files of the last again

torch   torchvision's saved .pth and .safetensors give Strata torchvision's outputs; weights that Strata saved load
        into torchvision with all keys matched and give Strata's outputs.
onnx    every model of the zoo, and a network of every operation, exported: the checker of onnx is content, ONNX
        Runtime and OpenCV compute what Strata does, for one image and for three.
golden  the committed files say the same: tests/test_exchange.c reads them without any of these programs.

Every client is needed: what is missing is named, and the exit code is 1. `./dev oracle` installs them.
"""
import array
import importlib
import os
import subprocess
import sys
import tempfile

CLIENTS = {"torch": "Debian: python3-torch", "torchvision": "Debian: python3-torchvision",
           "yaml": "Debian: python3-yaml", "onnx": "Debian: python3-onnx", "cv2": "Debian: python3-opencv",
           "onnxruntime": "PyPI: onnxruntime", "safetensors": "PyPI: safetensors"}
missing = []
for client, where in CLIENTS.items():
    try:
        importlib.import_module(client)
    except ImportError as why:
        missing.append(f"{client} ({where}): {why}")
if missing:
    print("missing: " + "\n         ".join(missing) + "\n./dev oracle installs what is missing")
    sys.exit(1)

import cv2  # noqa: E402
import numpy  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import safetensors  # noqa: E402
import safetensors.torch  # noqa: E402

import oracle  # noqa: E402
import yaml_net  # noqa: E402
from torch_side import torch, torchvision  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
MODELS = os.path.join(HERE, "..", "..", "assets", "models")
BOUND = 1e-5  # of the largest logit, or of 1 where that is smaller
CLASSES = 7
NORMALIZE = "mean=0.485,0.456,0.406,std=0.229,0.224,0.225"

# model, stem, head, side of the images (none: the description's shape), factor of the gains that end a bottleneck
ZOO = [("resnet18", "imagenet", "linear", 64, 1), ("resnet18", "small", "fastai", 33, 1),
       ("resnet34", "imagenet", "linear", 65, 1), ("resnet50", "imagenet", "linear", 64, 0.3),
       ("resnet50", "imagenet", "linear", 64, 1), ("vgg11-bn", None, None, 64, 1), ("vgg11-bn", None, None, 224, 1),
       ("mobilenet-v1", "small", None, 32, 1), ("small-cnn", None, None, 28, 1), ("lenet5", None, None, 28, 1),
       ("ops", None, None, None, 1)]
# As random as it comes, every stage of this one makes rounding three times as large, in any program: its bound is 4
# times what PyTorch's own float32 is off its float64 (README.md).
AMPLIFIES = ("resnet50", 1)


def strata(*arguments):
    done = subprocess.run([oracle.strata_path(), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    if done.returncode != 0:
        print(f"strata {' '.join(map(str, arguments))}\n{done.stdout}exit code {done.returncode}")
        sys.exit(1)
    return done.stdout


def logits(weights, images, classes, *keys):
    """What Strata computes for images [n,c,h,w]."""
    n, c, h, w = images.shape
    program = os.path.join(os.path.dirname(oracle.strata_path()), "logits")
    done = subprocess.run([program, weights, f"{h}x{w}x{c}", str(classes), *keys], stdout=subprocess.PIPE, check=False,
                          input=numpy.ascontiguousarray(images.numpy().transpose(0, 2, 3, 1), "<f4").tobytes())
    if done.returncode != 0:
        print(f"logits {weights} {keys}: exit code {done.returncode}")
        sys.exit(1)
    return torch.from_numpy(numpy.frombuffer(done.stdout, "<f4").reshape(n, classes).copy())


def far(y, wanted):
    return ((y - wanted).abs().max() / max(1.0, wanted.abs().max().item())).item()


def pictures(n, c, h, w):
    """Smooth patterns under noise, of different contrast and brightness: features that differ, as of real images."""
    coarse = torch.nn.functional.interpolate(torch.randn(n, c, 4, 4), size=(h, w), mode="bilinear")
    return (coarse + 0.3 * torch.randn(n, c, h, w)) * (0.5 + torch.rand(n, 1, 1, 1)) + torch.randn(n, c, 1, 1)


def settle(net, images, branch=1, last="bn2"):
    """Gains below 1 and running statistics of these images, as training leaves them; then evaluation.

    branch: a factor of the gains whose names end in `last`, the last of a block. Small ones amplify rounding less."""
    names = getattr(net, "names", None)  # of a YamlNet, whose modules bear numbers
    for name, part in net.named_modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # the plain mean
            if part.affine:
                torch.nn.init.uniform_(part.weight, 0.2, 0.6)
                torch.nn.init.normal_(part.bias, std=0.1)
            if (names[int(name)] if names else name).endswith(last):
                part.weight.data *= branch
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(images)
    return net.eval()


def own_bound(net, images):
    """1e-5, or 4 times what PyTorch's float32 is off its float64."""
    with torch.no_grad():
        narrow = net.float()(images)
    return max(BOUND, 4 * far(narrow, outputs(net, images)))


def outputs(net, images):
    with torch.no_grad():
        return net.double()(images.double()).float()


# ---- PyTorch -------------------------------------------------------------------------------------------------


def wrapped(state):
    """What people save: the state dict beside other things, under the names of a wrapped network."""
    return {"epoch": 3, "lr": 0.1, "state_dict": {"module." + k: v for k, v in state.items()}}


def to_strata(verdict, folder, device):
    torch.manual_seed(1)
    images = pictures(32, 3, 64, 64)
    net = settle(torchvision.models.resnet18(num_classes=CLASSES), images)
    state = net.state_dict()
    files = {name: os.path.join(folder, name) for name in ("plain.pth", "wrapped.pth", "plain.safetensors")}
    torch.save(state, files["plain.pth"])
    torch.save(wrapped(state), files["wrapped.pth"])
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, files["plain.safetensors"])
    images = images[:5]
    wanted = outputs(net, images)
    for name, path in files.items():
        got = logits(path, images, CLASSES, "model=resnet18", f"device={device}")
        verdict.check(f"torchvision -> strata, {name}", "logits", far(got, wanted), BOUND, device)


def from_strata(verdict, folder, device):
    torch.manual_seed(2)
    images = pictures(5, 3, 32, 32)
    oracle_data = os.path.join(folder, "cifar")
    os.makedirs(oracle_data, exist_ok=True)
    pixels = torch.randint(0, 256, (40, 3 * 32 * 32 + 1), dtype=torch.uint8)
    pixels[:, 0] %= 10
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        with open(os.path.join(oracle_data, name), "wb") as file:
            file.write(pixels.numpy().tobytes())
    run = os.path.join(folder, f"run-{device}")
    strata("train", oracle_data, "--model", "resnet18", "--stem", "imagenet", "--batch", 8, "--steps", 2, "--device",
           device, "--valid", "none", "--quiet", "--run-dir", run)
    weights = os.path.join(run, "checkpoints", "last.safetensors")
    net = torchvision.models.resnet18(num_classes=10)
    matched = net.load_state_dict(safetensors.torch.load_file(weights), strict=True)
    verdict.require(f"strata -> torchvision {device}", str(matched) == "<All keys matched successfully>", matched)
    with safetensors.safe_open(weights, "pt") as file:
        verdict.require("metadata", file.metadata()["format"] == "pt" and file.metadata()["classes"] == "10",
                        file.metadata())
    wanted = outputs(net.eval(), images)
    got = logits(weights, images, 10, "model=resnet18", "stem=imagenet", f"device={device}")
    verdict.check("strata -> torchvision", "logits", far(got, wanted), BOUND, device)
    for dtype, bound in (("f16", 2e-2), ("bf16", 2e-1)):  # 11 and 8 bits of every weight
        half = os.path.join(folder, dtype + ".safetensors")
        strata("convert", weights, half, "--dtype", dtype)
        net.load_state_dict(safetensors.torch.load_file(half), strict=True)
        got = logits(half, images, 10, "model=resnet18", "stem=imagenet", f"device={device}")
        verdict.check(f"strata convert --dtype {dtype}", "logits", far(got, outputs(net.eval(), images)), BOUND, device)
        verdict.check(f"strata convert --dtype {dtype}", "rounding", far(got, wanted), bound, device)


# ---- ONNX -------------------------------------------------------------------------------------------------------


def run_clients(verdict, case, path, images, wanted, bound=BOUND):
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, RuntimeError) as why:
        verdict.require(case, False, f"onnx's checker: {why}")
        return model
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, len(images)):
        got = session.run(None, {"input": images[:n].numpy()})[0]
        verdict.check(case, "ort", far(torch.from_numpy(got), wanted[:n]), bound, f"{n} images")
        net = cv2.dnn.readNetFromONNX(path)
        net.setInput(images[:n].numpy())
        verdict.check(case, "opencv", far(torch.from_numpy(net.forward().copy()), wanted[:n]), bound, f"{n} images")
    return model


def zoo_weights(name, stem, head, side, path, branch=1):
    """Random weights and settled statistics for a model file; images, and the keys that name it."""
    file = os.path.join(GOLDEN if name == "ops" else MODELS, name + ".yaml")
    description = yaml_net.yaml.safe_load(open(file, encoding="utf-8"))
    h, w, c = description["image"] if side is None else (side, side, description["image"][2])
    torch.manual_seed(3)
    images = pictures(32 if h < 100 else 8, c, h, w)
    choices = {k: v for k, v in (("stem", stem), ("head", head)) if v}
    net = settle(yaml_net.load(file, (c, h, w), CLASSES, **choices), images, branch, "bn3")
    safetensors.torch.save_file({k: v.float().contiguous() for k, v in net.weights().items()}, path,
                                {"image": f"{h}x{w}x{c}", "classes": str(CLASSES),
                                 "class_names": "\n".join(f"class {i}" for i in range(CLASSES))})
    keys = {"model": file if name == "ops" else name, **choices}
    return net, images[:3], keys


def export_zoo(verdict, folder, device, only):
    for name, stem, head, side, branch in ZOO:
        if only and name not in only:
            continue
        case = " ".join(str(word) for word in (name, stem, head, side) if word)
        case += f" x {branch}" if branch != 1 else ""
        weights, path = os.path.join(folder, "w.safetensors"), os.path.join(folder, "m.onnx")
        net, images, keys = zoo_weights(name, stem, head, side, weights, branch)
        strata("export", weights, path, *(word for k, v in keys.items() for word in ("--" + k, v)))
        wanted = logits(weights, images, CLASSES, f"device={device}", *(f"{k}={v}" for k, v in keys.items()))
        bound = own_bound(net, images) if (name, branch) == AMPLIFIES else BOUND
        verdict.check(case, "torch", far(outputs(net, images), wanted), bound, "strata beside PyTorch")
        model = run_clients(verdict, case, path, images, wanted, bound)
        notes = {p.key: p.value for p in model.metadata_props}
        verdict.require(case, notes.get("class_names", "").split("\n") == [f"class {i}" for i in range(CLASSES)], notes)


def export_normalised(verdict, folder):
    """--with-normalize: pixels in [0,1] give what normalised pixels give without."""
    weights, path = os.path.join(folder, "w.safetensors"), os.path.join(folder, "m.onnx")
    net, _, keys = zoo_weights("resnet18", "small", "linear", 32, weights)
    figures = [[float(v) for v in part.split(",")] for part in NORMALIZE[5:].split(",std=")]
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in figures)
    pixels = torch.rand(3, 3, 32, 32)
    strata("export", weights, path, "--with-normalize", "--normalize", NORMALIZE,
           *(word for k, v in keys.items() for word in ("--" + k, v)))
    run_clients(verdict, "--with-normalize", path, pixels, outputs(net, (pixels - mean) / std))


# ---- Golden files ---------------------------------------------------------------------------------------------


def pattern(count, scale, seed):
    """Numbers between -scale and scale from a formula that any program can repeat: see tests/test_exchange.c."""
    i = torch.arange(count, dtype=torch.float64)
    return (scale * torch.sin(i * 12.9898 + seed)).float()


def golden_images(shape):
    return pattern(torch.Size(shape).numel(), 2.0, 0.5).reshape(shape)


def golden_resnet():
    """torchvision's ResNet-18 in a small file: its filters are strided views of a few thousand numbers."""
    net = torchvision.models.resnet18(num_classes=CLASSES)
    state = net.state_dict()
    torch.manual_seed(4)
    for name, t in state.items():
        if t.dim() < 2:
            continue
        pool = torch.randn(1600) * (2 / t[0].numel()) ** 0.5
        strides = (1, 2, 5, 3)[:t.dim()]
        state[name] = pool.as_strided(t.shape, strides)
    net.load_state_dict(state)
    settle(net, golden_images((4, 3, 64, 64)), 0.2)
    for name, t in net.state_dict().items():
        if t.dim() < 2:
            state[name] = t.clone()
    return net, state


def record():
    net, state = golden_resnet()
    torch.save(state, os.path.join(GOLDEN, "resnet18.pth"))
    with open(os.path.join(GOLDEN, "resnet18.logits"), "wb") as file:
        wanted = outputs(net, golden_images((2, 3, 64, 64)))
        file.write(wanted.numpy().astype("<f4").tobytes())
    _, _, keys = zoo_weights("ops", None, None, None, os.path.join(GOLDEN, "ops.safetensors"))
    os.chmod(os.path.join(GOLDEN, "ops.safetensors"), 0o644)
    strata("export", os.path.join(GOLDEN, "ops.safetensors"), os.path.join(GOLDEN, "ops.onnx"), "--with-normalize",
           "--model", keys["model"], "--normalize", NORMALIZE)


def check_golden(verdict):
    net = torchvision.models.resnet18(num_classes=CLASSES)
    matched = net.load_state_dict(torch.load(os.path.join(GOLDEN, "resnet18.pth")), strict=True)
    verdict.require("golden resnet18.pth", str(matched) == "<All keys matched successfully>", matched)
    with open(os.path.join(GOLDEN, "resnet18.logits"), "rb") as file:
        wanted = torch.from_numpy(numpy.frombuffer(file.read(), "<f4").reshape(2, CLASSES).copy())
    got = outputs(net.eval(), golden_images((2, 3, 64, 64)))
    verdict.check("golden resnet18.logits", "torch", far(got, wanted), BOUND)
    ops = yaml_net.load(os.path.join(GOLDEN, "ops.yaml"), (3, 14, 11), CLASSES).eval()
    ops.load_weights(safetensors.torch.load_file(os.path.join(GOLDEN, "ops.safetensors")))
    figures = [[float(v) for v in part.split(",")] for part in NORMALIZE[5:].split(",std=")]
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in figures)
    pixels = torch.rand(3, 3, 14, 11)
    run_clients(verdict, "golden ops.onnx", os.path.join(GOLDEN, "ops.onnx"), pixels, outputs(ops, (pixels - mean) / std))


def main():
    words = sys.argv[1:] or ["torch", "onnx", "golden"]
    verdict = oracle.Verdict()
    device = os.environ.get("STRATA_DEVICE", "auto")
    if "record" in words:
        record()
    with tempfile.TemporaryDirectory() as folder:
        if "torch" in words:
            to_strata(verdict, folder, device)
            from_strata(verdict, folder, device)
        if "onnx" in words:
            export_zoo(verdict, folder, device, set(words) - {"torch", "onnx", "golden"})
            export_normalised(verdict, folder)
    if "golden" in words:
        check_golden(verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
