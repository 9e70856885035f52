#!/usr/bin/env python3
"""The pictures of tests/golden/pictures and what Pillow makes of them; run by hand with Pillow and torchvision.

Each file is one form that the image reader must know; decoded.bin holds [9, 13, 3] bytes for each in the order of
their names: Pillow's pixels, transparent ones laid over white. The checksums that go into tests/test_picture.c are
printed.
"""
import os
import zlib

import numpy as np
from PIL import Image
from torchvision import transforms
from torchvision.transforms.functional import InterpolationMode

H, W = 9, 13
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")


def pixels(c, h=H, w=W):
    y, x, k = np.mgrid[0:h, 0:w, 0:c]
    return ((x * 37 + y * y * 11 + k * 90 + x * y * 5) % 256).astype(np.uint8)


def smooth(h=H, w=W):
    y, x, k = np.mgrid[0:h, 0:w, 0:3]
    return (128 + 100 * np.sin(x / 5 + k) * np.cos(y / 4)).astype(np.uint8)


def save():
    rgb, grey = Image.fromarray(pixels(3)), Image.fromarray(pixels(1)[:, :, 0])
    rgba = Image.fromarray(pixels(4), "RGBA")
    palette = rgb.quantize(16)
    rgb.save(f"{HERE}/rgb.bmp")
    rgb.save(f"{HERE}/rgb.ppm")
    rgb.save(f"{HERE}/rgb.tga", compression="tga_rle")
    rgb.save(f"{HERE}/rgb.png")
    grey.save(f"{HERE}/grey.pgm")
    grey.save(f"{HERE}/grey.png")
    Image.fromarray(pixels(2), "LA").save(f"{HERE}/grey-alpha.png")
    rgba.save(f"{HERE}/rgba.png")
    palette.save(f"{HERE}/palette.gif")
    palette.save(f"{HERE}/palette-transparent.png", transparency=3)
    Image.fromarray(pixels(1)[:, :, 0].astype(np.int32) * 257, "I").save(f"{HERE}/grey16.png")
    Image.fromarray(smooth()).save(f"{HERE}/smooth.jpg", quality=95, subsampling=0)


def decode(path):
    image = Image.open(path)
    if image.mode == "I":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert("RGBA")
    a = np.asarray(image).astype(np.uint32)
    alpha = a[:, :, 3:]
    return ((a[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def fits():
    for h, w in ((37, 50), (61, 20), (9, 13), (30, 36)):
        image = Image.fromarray(pixels(3, h, w))
        for name in ("BILINEAR", "BICUBIC"):
            whole = image.resize((11, 14), getattr(Image, name)).tobytes()
            crop = transforms.Compose([transforms.Resize(15, InterpolationMode[name]), transforms.CenterCrop(15)])
            print(h, w, name, hex(zlib.crc32(whole)), hex(zlib.crc32(crop(image).tobytes())))


os.makedirs(HERE, exist_ok=True)
save()
with open(f"{HERE}/decoded.bin", "wb") as out:
    for name in sorted(os.listdir(HERE)):
        if name != "decoded.bin":
            out.write(decode(f"{HERE}/{name}").tobytes())
fits()
