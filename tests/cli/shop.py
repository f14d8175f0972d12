"""A small shop for the tests of whole commands: photos, a model, catalogs, and how to run the program."""

import hashlib
import os
import sqlite3
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

PROGRAM = os.environ["LOOKALIKE"]


def write_png(path, width, height, pixel):
    """pixel(x, y) -> (red, green, blue)."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
                   + chunk(b"IEND", b""))


def product(i):
    """Pixels of product i: stripes or discs in one of many colours."""

    def pixel(x, y):
        inside = (x // (4 + i % 5)) % 2 if i % 2 else (x - 30) ** 2 + (y - 25) ** 2 < (8 + i % 20) ** 2
        return (17 * i % 256, 90 + 7 * i % 100, 200) if inside else (240, 250 - i % 50, 235)

    return pixel


def make_photos(folder, count):
    for i in range(count):
        place = Path(folder) / ("stripes" if i % 2 else "discs")
        place.mkdir(parents=True, exist_ok=True)
        write_png(place / f"{i:03}.png", 60, 50 + i % 7, product(i))


def run(*words, timeout=120, **options):
    words = [word if isinstance(word, bytes) else str(word) for word in (PROGRAM, *words)]
    return subprocess.run(words, capture_output=True, timeout=timeout, check=False, **options)


def train(photos, model):
    done = run("train", photos, "-o", model, "--epochs", "1", "--batch-size", "16", "--quiet")
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode(errors="replace"))


def query(catalog, sql):
    """Rows of catalog.sqlite, texts as bytes."""
    with sqlite3.connect(f"file:{catalog}/catalog.sqlite?mode=ro", uri=True) as database:
        database.text_factory = bytes
        return database.execute(sql).fetchall()


def ledger(catalog):
    """A sorted dump of catalog.sqlite."""
    tables = [name.decode() for (name,) in query(catalog, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: sorted(map(repr, query(catalog, f'SELECT * FROM "{table}"'))) for table in sorted(tables)}


def contents(catalog):
    """What is the same for two equal catalogs."""
    catalog = Path(catalog)
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((catalog / "codes").iterdir())}
    files["model"] = hashlib.sha256((catalog / "model.safetensors").read_bytes()).hexdigest()
    return {"files": files, "ledger": ledger(catalog)}


class CommandTest(unittest.TestCase):
    @classmethod
    def open_shop(cls, photos):
        """A folder of its own with so many photos, and names for a model and a catalog of them."""
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = Path(temporary.name)
        cls.photos, cls.model, cls.catalog = cls.root / "photos", cls.root / "model", cls.root / "catalog"
        make_photos(cls.photos, photos)

    def assert_fails(self, result, code, *texts):
        """One error line at the end, nothing on standard output."""
        self.assertEqual(result.returncode, code, result.stderr)
        error = result.stderr.splitlines()[-1]
        self.assertRegex(error, r"^lookalike: error\[E_[A-Z_]+\]: ")
        for text in texts:
            self.assertIn(text, error)
        self.assertEqual(result.stdout, "")
