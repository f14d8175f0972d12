"""What the peers' programs share: their options and the protocol of contest.py."""

import argparse
import json
import sys
import time

import numpy as np


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=("encode", "train"))
    parser.add_argument("--weights", required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--codes")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--onednn", action="store_true")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    arguments.pixels = np.fromfile(arguments.images, np.uint8).reshape(-1, 150, 150, 3)
    return arguments


def write_codes(arguments, encode):
    if arguments.codes:
        batches = range(0, len(arguments.pixels), arguments.batch)
        codes = [encode(arguments.pixels[first:first + arguments.batch]) for first in batches]
        np.concatenate(codes).astype(np.float32).tofile(arguments.codes)


def serve(arguments, one_batch):
    """one_batch(images of one batch): done when it returns."""
    count, batch = len(arguments.pixels), arguments.batch
    for line in sys.stdin:
        for _ in range(2):
            one_batch(arguments.pixels[:batch])
        done, first, start = 0, 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < float(line):
            one_batch(arguments.pixels[first:first + batch])
            done += batch
            first = first + batch if first + 2 * batch <= count else 0
        answer(done / elapsed)


def answer(rate):
    print(json.dumps({"images_per_second": rate}), flush=True)
