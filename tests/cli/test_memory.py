"""What encoding holds in memory: batches, never shards."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from shop import PROGRAM, CommandTest, train, write_png


def peak_memory(*words):
    """Bytes that the program had in memory at most. Its own process asks, and starts nothing else before."""
    script = ("import resource, subprocess, sys\n"
              "done = subprocess.run(sys.argv[1:], check=False)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
              "sys.exit(done.returncode)\n")
    done = subprocess.run([sys.executable, "-c", script, PROGRAM, *map(str, words)], capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return int(re.fullmatch(r"(\d+)\n", done.stdout)[1])


@unittest.skipIf(os.environ.get("LOOKALIKE_SANITIZE"), "a sanitizer keeps what is freed")
class Encode(CommandTest):
    """A shard of 6,000 photos is 69 MB of codes; a batch of 32 is 2.5 MB with its pixels."""

    def test_peak_memory_does_not_grow_with_the_list(self):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "photos").mkdir()
            for i in range(8):
                write_png(place / "photos" / f"{i}.png", 8, 8, lambda x, y, i=i: (20 * i, 9 * x, 9 * y))
            train(place / "photos", place / "model")
            peaks = []
            for count in (200, 6000):
                listed = place / f"{count}.csv"
                rows = [f"photo {i},photos/{i % 8}.png\n" for i in range(count)]
                listed.write_text("id,path\n" + "".join(rows), encoding="utf-8")
                peaks.append(peak_memory("encode", listed, "-m", place / "model", "-o", place / str(count), "--quiet",
                                         "--batch-size", "32", "--shard-rows", "6000", "--threads", "2"))
            small, large = peaks
            self.assertLess(small, 300e6)
            # The ledger's part of each photo of an unfinished shard: well below 1 KB each.
            self.assertLess(large - small, 16e6, f"{small / 1e6:.1f} MB for 200 photos, {large / 1e6:.1f} for 6,000")


if __name__ == "__main__":
    unittest.main()
