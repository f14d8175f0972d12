"""Fashion-MNIST (MIT licence, Debian package dataset-fashion-mnist) as a catalog of photos.

python tools/fashion_mnist.py FOLDER [--items N] [--size 150]

Writes FOLDER/ankle-boot/00000.png, ...: the first N of its 70,000 pictures, dark on white as in a shop, enlarged
bilinearly from 28 x 28. Needs numpy. The same arguments write the same bytes.
"""

import argparse
import gzip
import pathlib
import struct
import sys
import zlib

import numpy as np

SOURCE = pathlib.Path("/usr/share/datasets/fashion-mnist")
LABELS = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
ALL = 70_000
SIDE = 28


def read_idx(name):
    """An IDX file of bytes as an array of its shape."""
    data = gzip.decompress((SOURCE / name).read_bytes())
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def pictures():
    """(70000, 28, 28) bytes, and a label for each: the training pictures, then the test ones."""
    images, labels = ([read_idx(f"{part}-{kind}-ubyte.gz") for part in ("train", "t10k")]
                      for kind in ("images-idx3", "labels-idx1"))
    return np.concatenate(images), np.concatenate(labels)


def enlargement(size):
    """(size, 28): the weights of bilinear interpolation between pixel centres."""
    place = np.clip((np.arange(size) + 0.5) * SIDE / size - 0.5, 0, SIDE - 1)
    low = np.minimum(place.astype(int), SIDE - 2)
    weights = np.zeros((size, SIDE))
    weights[np.arange(size), low] = 1 - (place - low)
    weights[np.arange(size), low + 1] = place - low
    return weights


def png(grey):
    """A grey (H, W) array as a PNG file's bytes."""
    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--items", type=int, default=ALL, help="pictures, from 1 to 70,000 (default: all)")
    parser.add_argument("--size", type=int, default=150, help="pixels a side, from 28 to 2048 (default: 150)")
    options = parser.parse_args()
    if not 1 <= options.items <= ALL:
        parser.error(f"--items is {options.items}, take 1 to {ALL}")
    if not SIDE <= options.size <= 2048:
        parser.error(f"--size is {options.size}, take {SIDE} to 2048")
    if not SOURCE.is_dir():
        sys.exit(f"fashion_mnist.py: {SOURCE} is missing, install the Debian package dataset-fashion-mnist")

    images, labels = pictures()
    weights = enlargement(options.size)
    for label in LABELS:
        (options.folder / label).mkdir(parents=True, exist_ok=True)
    for i in range(options.items):
        grey = np.rint(255 - weights @ images[i] @ weights.T).astype(np.uint8)
        (options.folder / LABELS[labels[i]] / f"{i:05}.png").write_bytes(png(grey))
    print(f"{options.items:,} pictures in {options.folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
