#!/usr/bin/env python3
"""Encoder: ours, TensorFlow and PyTorch by turns, images in memory, bytes in, codes out, best setting of each.

Needs the virtual environment of tools/requirements-peers.txt and build/bench/device_rate.
"""

import contest

BATCHES = [["--batch", "32"], ["--batch", "128"]]
SETTINGS = {
    "ours": BATCHES,
    "tensorflow": [batch + library for batch in BATCHES for library in ([], ["--onednn"], ["--xla"])],
    "pytorch": [batch + layout + compiled for batch in BATCHES for layout in ([], ["--channels-last"])
                for compiled in ([], ["--compile"])],
}

if __name__ == "__main__":
    contest.run("encode", SETTINGS, contest.parse_arguments(__doc__))
