#!/usr/bin/python3
"""What Strata makes of images beside torchvision's own functions, given what Strata drew for each.

    augmentation.py [--device cpu]

Strata's records say where each pixel is taken from, the matrix of its colours and the box that is erased. Out of them
come torchvision's parameters: its functions, in float64, make the same images within the bounds, all of them
normalised. Where Strata means something else, the size of the difference is printed behind `differs`, and it has a
bound too: README.md says what it is. `augmented` of the build answers for Strata.
"""
import math
import os
import struct
import subprocess
import sys

import oracle
from torch_side import torch, torchvision  # exits where there is none

F = torchvision.transforms.functional
TENSOR = __import__("torchvision.transforms.functional_tensor", fromlist=["affine"])  # with a matrix as it is
BILINEAR = torchvision.transforms.InterpolationMode.BILINEAR
N, SEED, EPOCH = 24, 5, 3
MEAN, STD = {1: [0.5], 3: [0.485, 0.456, 0.406]}, {1: [0.25], 3: [0.229, 0.224, 0.225]}
LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
# In [0, 1]: of what is in place to the pixel, and of places between pixels: f32 places of up to 64 are off by 4e-6,
# and neighbours differ by up to 1.
SAME, BETWEEN = 1e-6, 1e-5


class Record:
    """src/cpu/augment.h: the output's (x, y) comes from (a x + b y + c, d x + e y + f) / (g x + h y + i)."""

    def __init__(self, data):
        v = struct.unpack("<11fI12f4If2II", data)
        a, b, c, g, d, e, f, h, i = v[:9]
        self.rows = torch.tensor([[a, b, c], [d, e, f], [g, h, i]], dtype=torch.float64)
        self.colour = torch.tensor(v[12:24], dtype=torch.float64).reshape(3, 4)
        self.box = v[24:28]  # left, top, right, bottom


class Made:
    """Images by some words: `stored` [n,c,h,w] in [0,1], `seen` [n,c,h,w] with the normalisation undone, records."""

    def __init__(self, words, device, stored=(32, 32, 3), seen=None, pictures=None):
        h, w, c = stored
        self.words, (self.h, self.w) = words, seen or (h, w)
        self.bytes = noise(c, h, w) if pictures is None else pictures
        program = os.path.join(os.path.dirname(oracle.strata_path()), "augmented")
        done = subprocess.run([program, device, words, str(SEED), str(EPOCH), str(N), f"{h}x{w}x{c}",
                               f"{self.h}x{self.w}"], stdout=subprocess.PIPE, check=False, stderr=subprocess.PIPE,
                              input=self.bytes.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
        if done.returncode != 0 or done.stderr:
            print(f"augmented {words}: exit code {done.returncode}\n{done.stderr.decode()}")
            sys.exit(oracle.SKIPPED if done.returncode == oracle.NO_DEVICE else 1)
        self.records = [Record(done.stdout[128 * i:128 * (i + 1)]) for i in range(N)]
        floats = torch.frombuffer(bytearray(done.stdout[128 * N:]), dtype=torch.float32)
        self.normalised = floats.double().reshape(N, self.h, self.w, c).permute(0, 3, 1, 2)
        mean, std = (torch.tensor(v[c], dtype=torch.float64).reshape(1, c, 1, 1) for v in (MEAN, STD))
        self.seen, self.stored = self.normalised * std + mean, self.bytes.double() / 255

    def far(self, wanted):
        """The largest difference of all images from what `wanted` makes of (a stored one, its record)."""
        return max((self.seen[i] - wanted(self.stored[i], self.records[i])).abs().max().item() for i in range(N))

    def apart(self, wanted):
        """The mean difference, likewise."""
        return sum((self.seen[i] - wanted(self.stored[i], self.records[i])).abs().mean().item() for i in range(N)) / N


def noise(c, h, w):
    return torch.randint(0, 256, (N, c, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def scenes(h, w):
    """Colours that change smoothly, a little noise on them: more like pictures than noise is."""
    random = torch.Generator().manual_seed(2)
    coarse = torch.rand(N, 3, 5, 5, generator=random)
    smooth = torch.nn.functional.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=True)
    return (255 * smooth + 8 * torch.randn(N, 3, h, w, generator=random)).clamp(0, 255).to(torch.uint8)


# ---- Geometry: torchvision's parameters out of a record ------------------------------------------------------------


def window(record, h, w):
    """(top, left, height, width) of the window that becomes an output of h x w, and whether it is mirrored."""
    (a, _, c), (_, e, f) = record.rows[0].tolist(), record.rows[1].tolist()
    wide, high = abs(a) * w, abs(e) * h
    left = (c if a > 0 else c + a * (w - 1)) - 0.5 * (abs(a) - 1)
    top = (f if e > 0 else f + e * (h - 1)) - 0.5 * (abs(e) - 1)
    return [round(v) for v in (top, left, high, wide)], a < 0, e < 0


def mirrored(image, across, down):
    image = F.hflip(image) if across else image
    return F.vflip(image) if down else image


def crop(pad, less=0):
    def wanted(image, record):
        h, w = image.shape[1] - less, image.shape[2] - less
        (top, left, _, _), across, down = window(record, h, w)
        return mirrored(F.crop(F.pad(image, pad), top + pad, left + pad, h, w), across, down)
    return wanted


def about_the_middle(record, h, w):
    """torchvision's six numbers, of pixels whose middles count from the image's middle."""
    m, x, y = record.rows, 0.5 * (w - 1), 0.5 * (h - 1)
    shift = [m[0, 0] * x + m[0, 1] * y + m[0, 2] - x, m[1, 0] * x + m[1, 1] * y + m[1, 2] - y]
    return [v.item() for v in (m[0, 0], m[0, 1], shift[0], m[1, 0], m[1, 1], shift[1])]


def affine(image, record):
    return TENSOR.affine(image, about_the_middle(record, *image.shape[1:]), "bilinear", None)


def rotated(image, record):
    angle = torch.rad2deg(torch.atan2(record.rows[1, 0], record.rows[0, 0])).item()
    return F.rotate(image, angle, BILINEAR)


def scaled(image, record):
    return F.affine(image, 0, [0, 0], 1 / record.rows[0, 0].item(), [0, 0], BILINEAR)


def sheared(image, record):
    return F.affine(image, 0, [0, 0], 1, [torch.rad2deg(torch.atan(record.rows[0, 1])).item(), 0], BILINEAR)


def projected(image, record):
    """torchvision counts from the image's corner, half a pixel before the first middle."""
    half = torch.tensor([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], dtype=torch.float64)
    m = half @ record.rows @ half.inverse()
    m = m / m[2, 2]
    return TENSOR.perspective(image, m.reshape(-1)[:8].tolist(), "bilinear", None)


def bordered(mode):
    """torch's grid_sample, which is what torchvision's functions stand on; they know zeros alone."""
    def wanted(image, record):
        h, w = image.shape[1:]
        x, y = torch.meshgrid(torch.arange(w).double(), torch.arange(h).double(), indexing="xy")
        at = record.rows[:2] @ torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)
        grid = torch.stack([(2 * at[0] + 1) / w - 1, (2 * at[1] + 1) / h - 1], 1).reshape(1, h, w, 2)
        return torch.nn.functional.grid_sample(image[None], grid, "bilinear", mode, False)[0]
    return wanted


def resized(made):
    """resized_crop of each image, and where its pixels come from within the window."""
    def wanted(image, record):
        box, across, down = window(record, made.h, made.w)
        return mirrored(F.resized_crop(image, *box, [made.h, made.w], BILINEAR, antialias=False), across, down)
    return wanted


def inside(made, record):
    """1 where no pixel beyond the window has a part in an output pixel, which torchvision's knows nothing of; or where
    the picture ends with the window."""
    box, across, down = window(record, made.h, made.w)
    good = []
    for first, size, out, side in zip(box[:2], box[2:], (made.h, made.w), made.stored.shape[2:]):
        at = (torch.arange(out).double() + 0.5) * size / out - 0.5
        good.append(((at >= 0) | (first == 0)) & ((at <= size - 1) | (first + size == side)))
    return mirrored((good[0][:, None] & good[1][None])[None].double(), across, down)


def check_geometry(verdict, device):
    for c in (1, 3):
        for words in ("none", "flip", "flip,vflip"):
            made = Made(words, device, (17, 22, c))
            verdict.check(f"{words}, {c} channels", "pixels", made.far(crop(0)), SAME, "hflip, vflip, normalize")
    made = Made("cifar", device)
    verdict.check("cifar", "pixels", made.far(crop(4)), SAME, "pad 4, crop, hflip, normalize")
    made = Made("crop=2,flip", device, (36, 36, 3), (30, 30))
    verdict.check("crop of a larger image", "pixels", made.far(crop(2, 6)), SAME, "pad 2, crop, hflip, normalize")
    for words, function in (("rotate=40", rotated), ("scale=0.6:1.7", scaled), ("shear=25", sheared),
                            ("rotate=40,scale=0.6:1.7,shear=25", affine), ("zoom=1.6", affine), ("warp=0.3", projected)):
        made = Made(words, device, (33, 40, 3))
        verdict.check(words, "pixels", made.far(function), BETWEEN, function.__name__)
    for border, mode in (("black", "zeros"), ("reflect", "reflection"), ("replicate", "border")):
        made = Made(f"rotate=180,scale=0.3:1,border={border}", device, (33, 40, 3))
        verdict.check(f"border={border}", "pixels", made.far(bordered(mode)), BETWEEN, f"grid_sample's {mode}")


def check_windows(verdict, device):
    made = Made("imagenet", device, (54, 54, 3), (48, 48))
    wanted = resized(made)
    within = max(((made.seen[i] - wanted(made.stored[i], r)) * inside(made, r)).abs().max().item()
                 for i, r in enumerate(made.records))
    verdict.check("imagenet", "pixels", within, BETWEEN, "resized_crop, hflip, normalize")
    boxes = [window(r, 48, 48)[0] for r in made.records]
    at_edges = sum(0 in box[:2] or 54 in (box[0] + box[2], box[1] + box[3]) for box in boxes)
    verdict.require("imagenet", at_edges > 2, f"{at_edges} windows lie at the picture's edge")
    beyond = Made("imagenet", device, (54, 54, 3), (48, 48), scenes(54, 54))
    verdict.check("differs: beyond the window", "mean", beyond.apart(resized(beyond)), 6e-4, "the picture goes on")
    verdict.check("differs: beyond the window", "most", beyond.far(resized(beyond)), 0.13, "in the outermost pixels")


# ---- Colours ---------------------------------------------------------------------------------------------------------


def factor(word, record, grey):
    """What was drawn where the record's matrix is of this word alone."""
    m = record.colour
    if word == "contrast":
        return 1 - (m[0, 3] / grey).item()
    if word == "saturation":
        return (m[0, 0] - m[1, 0]).item()  # f + (1 - f) 0.299, (1 - f) 0.299
    if word == "hue":  # its trace is 3 cos + (1 - cos), the difference of two that are transposed says the sign
        sine = m[2, 0] - (1 - (m[0, 0] + m[1, 1] + m[2, 2] - 1) / 2) * LUMA[0]
        return (torch.atan2(sine / 1.246461, (m[0, 0] + m[1, 1] + m[2, 2] - 1) / 2) / (2 * torch.pi)).item()
    return m[0, 0].item()


def other_hue(image, turns):
    """A turn of ours is from red to magenta, torchvision's to yellow; both are drawn either way."""
    return F.adjust_hue(image, -turns)


TORCH = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation,
         "hue": other_hue}


def about(grey):
    """torchvision's contrast, but about one grey for all pictures and not about each one's own."""
    return lambda image, f: TENSOR._blend(image, torch.full_like(image, grey), f)


def turned(image, turns):
    """In the plane of NTSC's I and Q, of which three digits are usual."""
    yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], dtype=torch.float64)
    x, y = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    m = yiq.inverse() @ torch.tensor([[1, 0, 0], [0, x, -y], [0, y, x]], dtype=torch.float64) @ yiq
    return matrix(image, torch.cat([m, torch.zeros(3, 1, dtype=torch.float64)], 1))


def matrix(image, m):
    return (torch.einsum("ij,jhw->ihw", m[:, :3], image) + m[:, 3:, None]).clamp(0, 1)


def check_colours(verdict, device):
    grey = (LUMA * torch.tensor(MEAN[3], dtype=torch.float64)).sum().item()
    words = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
    alone = {word: Made(f"{word}={most}", device, pictures=scenes(32, 32)) for word, most in words.items()}
    drawn = {word: [factor(word, r, grey) for r in made.records] for word, made in alone.items()}

    def one(word, function):
        numbers = iter(drawn[word])
        return lambda image, record: function(image, next(numbers))

    for word, most in words.items():
        middle = 0 if word == "hue" else 1
        outside = max(abs(f - middle) for f in drawn[word])
        verdict.check(word, "drawn", outside, most + 1e-6, f"{min(drawn[word]):.3f} to {max(drawn[word]):.3f}")
    verdict.check("brightness", "pixels", alone["brightness"].far(one("brightness", F.adjust_brightness)), SAME,
                  "adjust_brightness")
    # torchvision's red counts 0.2989, ours 0.299: 1e-4 (f - 1)
    verdict.check("saturation", "pixels", alone["saturation"].far(one("saturation", F.adjust_saturation)), 5e-5,
                  "adjust_saturation")
    verdict.check("hue", "pixels", alone["hue"].far(one("hue", turned)), 2e-6, "a turn in YIQ")
    verdict.check("contrast", "pixels", alone["contrast"].far(one("contrast", about(grey))), SAME, "_blend, one grey")
    one_channel = Made("contrast=0.4", device, (32, 32, 1))
    verdict.check("contrast, 1 channel", "pixels",
                  one_channel.far(lambda image, r: about(0.5)(image, r.colour[0, 0].item())), SAME, "_blend, one grey")
    moved = alone["hue"].apart(lambda image, r: image)
    for word, bound, what in (("contrast", 0.015, "about each picture's own grey"), ("hue", 0.055, f"of {moved:.3f}")):
        verdict.check(f"differs: {word}", "mean", alone[word].apart(one(word, TORCH[word])), bound, what)
    made = Made("jitter", device, pictures=scenes(32, 32))
    verdict.check("jitter", "pixels", made.far(lambda image, r: matrix(image, r.colour)), SAME, "the record's matrix")
    verdict.check("differs: jitter", "mean", made.apart(chain(drawn, TORCH, list(words))), 0.055, "torchvision's four")
    three = list(words)[:3]  # of middling pixels, so that torchvision cuts nothing off in between
    made = Made(",".join(f"{word}=0.4" for word in three), device, pictures=made.bytes // 3 + 60)
    verdict.check("three of them in turn", "pixels", made.far(chain(drawn, {**TORCH, "contrast": about(grey)}, three)),
                  1e-4, "in our order, one grey")


def chain(drawn, functions, order):
    """One function after the other with what was drawn for each image."""
    number = iter(range(N))

    def wanted(image, _):
        i = next(number)
        for word in order:
            image = functions[word](image, drawn[word][i])
        return image
    return wanted


# ---- The rest ------------------------------------------------------------------------------------------------------


def check_erasing(verdict, device):
    made = Made("flip,rotate=20,border=black,brightness=0.3,erase=0.5", device)
    worst, boxes = 0.0, 0
    for i, r in enumerate(made.records):
        bright = F.adjust_brightness(affine(made.stored[i], r), r.colour[0, 0].item())
        wanted = F.normalize(bright, MEAN[3], STD[3])
        left, top, right, bottom = r.box
        boxes += right > 0
        if right:
            w, h = right - left, bottom - top
            good = right <= 32 and bottom <= 32 and 0 < w < 32 and 0 < h < 32
            good &= 0.3 / 1.2 < w / h < 3.3 * 1.2 and 0.02 / 1.2 < w * h / 1024 < 0.33 * 1.05  # sides are whole pixels
            verdict.require("erase", good, f"of 32 x 32, {r.box}")
            wanted = F.erase(wanted, top, left, h, w, torch.zeros(3, 1, 1).double())
        worst = max(worst, (made.normalised[i] - wanted).abs().max().item() * min(STD[3]))
    verdict.check("flip,rotate,brightness,erase", "pixels", worst, BETWEEN, "hflip, rotate, ..., normalize, erase")
    verdict.require("erase", 4 <= boxes <= 20, f"{boxes} of {N} are erased, by half a chance")


def main():
    device = sys.argv[2] if sys.argv[1:2] == ["--device"] else os.environ.get("STRATA_DEVICE", "auto")
    verdict = oracle.Verdict()
    check_geometry(verdict, device)
    check_windows(verdict, device)
    check_colours(verdict, device)
    check_erasing(verdict, device)
    verdict.exit()


if __name__ == "__main__":
    main()
