"""What encoding holds in memory: batches, never shards; and what its sketches take at the end."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy

from shop import PROGRAM, CommandTest, run, train, write_png


def peak_memory(*words, output=None):
    """Bytes that the program had in memory at most. Its own process asks, and starts nothing else before. What
    it prints goes to the file `output`, where there is one."""
    script = ("import resource, subprocess, sys\n"
              "out = open(sys.argv[1], 'wb') if sys.argv[1] else None\n"
              "done = subprocess.run(sys.argv[2:], stdout=out, check=False)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
              "sys.exit(done.returncode)\n")
    done = subprocess.run([sys.executable, "-c", script, output or "", PROGRAM, *map(str, words)], capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return int(re.fullmatch(r"(\d+)\n", done.stdout)[1])


@unittest.skipIf(os.environ.get("LOOKALIKE_SANITIZE"), "a sanitizer keeps what is freed")
class Encode(CommandTest):
    """A shard of 8,192 photos is 95 MB of codes, the sample that sketches are learnt from 21 MB."""

    def test_peak_memory_does_not_grow_with_the_list(self):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "photos").mkdir()
            for i in range(256):
                write_png(place / "photos" / f"{i}.png", 8, 8, lambda x, y, i=i: (i, 9 * x, i * y % 256))
            train(place / "photos", place / "model")
            peaks = []
            for count in (1000, 8192):
                listed = place / f"{count}.csv"
                rows = [f"photo {i},photos/{i % 256}.png\n" for i in range(count)]
                listed.write_text("id,path\n" + "".join(rows), encoding="utf-8")
                peaks.append(peak_memory("encode", listed, "-m", place / "model", "-o", place / str(count), "--quiet",
                                         "--shard-rows", "8192", "--threads", "2"))
            self.assertFalse((place / "1000" / "sketch").exists())
            sketches = (place / "8192" / "sketch" / "sketches.bin").stat().st_size
            self.assertGreater(sketches, 64 * 8192, "it says that none pays")
            small, large = peaks
            self.assertLess(large, 300e6)
            self.assertLess(large, 1.1 * small, f"{small / 1e6:.1f} MB for 1,000 photos, {large / 1e6:.1f} for 8,192")


@unittest.skipIf(os.environ.get("LOOKALIKE_SANITIZE"), "a sanitizer keeps what is freed")
class Search(CommandTest):
    """All neighbours of some: lists as long as the catalog, and codes of 96 MB."""

    def test_every_neighbour_within_the_budget(self):
        rows, numbers, asked = 12_000, 2000, 25
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            codes = numpy.random.default_rng(1).normal(size=(rows, numbers)).astype(numpy.float32)
            numpy.save(place / "x.npy", codes)
            (place / "ids.txt").write_text("".join(f"{i}\n" for i in range(rows)), encoding="utf-8")
            done = run("import-codes", place / "x.npy", "--ids", place / "ids.txt", "-o", place / "catalog", "-q")
            self.assertEqual(done.returncode, 0, done.stderr)
            peak = peak_memory("search", *range(asked), "-c", place / "catalog", "-k", "all", "--json", "--memory", "60M",
                               "--threads", "2", output=place / "found")
            self.assertLess(peak, 60 << 20)
            with open(place / "found", "rb") as found:
                lines = [line.count(b'"rank"') for line in found]
            self.assertEqual(lines, [rows - 1] * asked)


if __name__ == "__main__":
    unittest.main()
