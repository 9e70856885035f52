#!/usr/bin/env python3
"""Small good files for each fuzzer to begin with: seeds.py TREE FOLDER makes FOLDER/NAME/*."""
import glob
import gzip
import os
import struct
import sys
import zlib

tree, folder = sys.argv[1:3]
golden = os.path.join(tree, "tests", "golden")


def put(name, number, data):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    with open(os.path.join(folder, name, f"seed{number}"), "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def pieces(*parts):
    return b"".join(struct.pack("<H", len(part)) + part for part in parts)


def idx(magic, *sizes):
    n = 1
    for size in sizes:
        n *= size
    return struct.pack(f">{1 + len(sizes)}I", magic, *sizes) + bytes(i % 10 for i in range(n))


images, labels = idx(0x803, 3, 4, 4), idx(0x801, 3)
put("idx", 0, pieces(images, labels, images, labels))
put("idx", 1, pieces(gzip.compress(images), gzip.compress(labels), images, labels))
put("cifar", 0, pieces(b"cat\ndog\n", b"\2\0\0\1", b"\1\0\0\0"))
put("cifar", 1, pieces(b"", bytes(100), b"\1\0\0\0"))

put("safetensors", 0, read(os.path.join(golden, "views.safetensors")))
small = b'{"__metadata__":{"a":"b"},"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}   '
put("safetensors", 1, struct.pack("<Q", len(small)) + small + bytes(4))
put("pth", 0, read(os.path.join(golden, "views.pth")))
pickle = b"\x80\2}q\0X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000" \
         b"X\3\0\0\0cpuK\4tQK\0K\4\x85K\1\x85\x89ccollections\nOrderedDict\n)RtRs."
members, directory, body = [("a/data.pkl", pickle), ("a/data/0", bytes(16))], b"", b""
for name, data in members:
    head = struct.pack("<10xIIIHH", 0, len(data), len(data), len(name), 0)
    directory += b"PK\1\2" + bytes(2) + head + struct.pack("<6xII", 0, len(body))[:-4] + struct.pack("<I", len(body)) \
        + name.encode()
    body += b"PK\3\4" + head[0:] + name.encode() + data
put("pth", 1, body + directory + struct.pack("<4s4xHHIIH", b"PK\5\6", 2, 2, len(directory), len(body), 0))

put("csv", 0, b"step,stem,body,head,momentum\n0,1e-3,0.1,1,0.9\n10,0,0,0,0\n")
put("csv", 1, b"step,head,body,stem\n0,1,2,3\n")
put("spec", 0, b"1e-3:1e-1\none-cycle\nin,p0=0.1,p1=0.9,ramp=cosine\nstem=1,body=2\nmean=0.5,std=0.25\nflip,crop\n"
    b"# groups\nstem: conv1 bn1\nhead: *\n")
put("spec", 1, b"1e-2@decay=0.75,min-scale=0.1\nstem=cosine; one-cycle:fastai-v1,warmup=2\nout,start=measured,freeze-below=1e-3\n"
    b"gradual=2\nmean=0.1,0.2,0.3,std=1,2,3\nnone\nall: [*]; x: y\n")
put("spec", 2, b"stem=1e-5,head=1e-3,*=1e-4\nstep,every=3,gamma=0.5 then plateau,metric=top1\nin,space=linear,budget=total\n*=30%\n\ncrop\n")
put("spec", 3, b"1e-3/10\nfine-tune,freeze-epochs=1\n\n\n\nflip\n")
put("folder", 0, b"1train/a/x.pgm\n1train/b/y.pgm\n1valid/a/x.pgm\n0valid/b/z.png\n1train/a/deep/er/x.jpg\n")
put("folder", 1, b"%a/x.pgm\n1a/y.bmp\n1b/z.ppm\n1notes\n1b/film.mp4\n0c/x.gif\n")
put("pixel_cache", 0, pieces(b"\0" * 32 + struct.pack("<IIIIIIQ", 1, 1, 4, 3, 1, 1, 12)) + bytes(range(24)) + b"1 b is bad.\0")
put("pixel_cache", 1, pieces(b"\0" * 32 + struct.pack("<IIIIIIQ", 3, 0, 4, 3, 1, 0, 0)) + bytes(36))
put("labels", 0, b'file,labels,is_valid\ntrain/a,"red  blue",0\r\nb.png,red,True\n"odd, ""name""",blue,1\n')
put("labels", 1, b"\xef\xbb\xbfimage_name,tags\ntrain/a,primary clear\nc,haze\n")
put("weights", 0, b'cat,1.5\n"dog, small",0\r\n\nbird,1e-3')
put("weights", 1, b'bird,1\ncat,2\n"dog, small",3\n')
put("recipe", 0, b"data: builtin:digits\nmodel: small-cnn\nlr: 1e-3:1e-1\nschedule: one-cycle\nepochs: 3\n")
put("recipe", 1, b"lr: stem=1e-3,head=0.1\nschedule: linear\nfreeze: stem,body\nbetas: 0.9,0.99\nnormalize: mean=0,std=1\n")
for number, path in enumerate(sorted(glob.glob(os.path.join(tree, "assets", "models", "*.yaml")))
                              + [os.path.join(golden, "ops.yaml")]):
    put("model", number, read(path))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(colour, depth, samples, extra=b""):
    rows = b"".join(b"\0" + bytes(range(4 * samples * depth // 8)) for _ in range(4))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, depth, colour, 0, 0, 0)) + extra \
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


put("image", 0, png(2, 8, 3))
put("image", 1, png(6, 16, 4))
put("image", 2, png(3, 8, 1, chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", bytes(16))))
put("image", 3, b"P5 4 4 255\n" + bytes(16))
put("image", 4, b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54 + 48, 0, 0, 54, 40, 4, 4, 1, 24, 0, 48, 0, 0, 0, 0) + bytes(48))
put("image", 5, b"\0\0\2" + bytes(9) + struct.pack("<HHBB", 4, 4, 24, 0) + bytes(48))
put("image", 6, b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0x80, 0, 0) + bytes(range(6)) + b",\0\0\0\0\2\0\2\0\0\2\3\4\x12\x5a\0;")
put("image", 7, b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 2, 2, 8, 3) + bytes(12) + b"\0\0" + bytes(12))
for number, path in enumerate(sorted(glob.glob(os.path.join(golden, "pictures", "*.*")))):
    if os.path.getsize(path) < 4000 and not path.endswith((".py", ".bin")):
        put("image", 10 + number, read(path))
tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # an Exif block: turned by 90 degrees
put("image", 9, png(2, 8, 3, chunk(b"eXIf", tiff)))
put("image", 8, read(os.path.join(tree, "tests", "fuzz", "tiny.jpg")))
