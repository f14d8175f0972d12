#!/usr/bin/env python3
"""Training with batches of 32: ours, Keras's fit and PyTorch by turns, images in memory, best setting of each.

Needs the virtual environment of tools/requirements-peers.txt and build/bench/device_rate.
"""

import contest

SETTINGS = {
    "ours": [[]],
    "tensorflow": [[], ["--onednn"], ["--xla"]],
    "pytorch": [layout + compiled for layout in ([], ["--channels-last"]) for compiled in ([], ["--compile"])],
}

if __name__ == "__main__":
    contest.run("train", SETTINGS, contest.parse_arguments(__doc__))
