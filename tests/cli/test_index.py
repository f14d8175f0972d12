"""`lookalike index` and what search, recommend and report do with its sketches. Standard library alone."""

import signal
import struct
import subprocess
import time
import unittest

import shop

PHOTOS = 1100  # a sketch from 1,024 on


class IndexTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.open_shop(48)
        shop.train(cls.photos, cls.model)
        # The same few photos under many names, and some others: groups of equal rows.
        listed = cls.root / "list.csv"
        paths = sorted(cls.photos.rglob("*.png"))
        with open(listed, "w", encoding="utf-8") as file:
            file.write("path,id,label,price\n")
            for i in range(PHOTOS):
                path = paths[i % len(paths)]
                file.write(f"{path},item {i:04},{path.parent.name},{i % 100}\n")
        done = shop.run("encode", listed, "-m", cls.model, "-o", cls.catalog, "--shard-rows", "300", text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.sketches = cls.catalog / "sketch" / "sketches.bin"
        if cls.sketches.exists():
            raise AssertionError("encode made sketches that so few rows do not pay for")
        done = shop.run("index", "-c", cls.catalog, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def recommend(self, *words):
        done = shop.run("recommend", "-c", self.catalog, "-o", "-", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_the_same_bytes_with_and_without(self):
        whole = self.sketches.read_bytes()
        self.addCleanup(self.sketches.write_bytes, whole)
        commands = (("recommend", "-o", "-", "-k", "7"), ("recommend", "-o", "-", "-k", "7", "--threads", "1"),
                    ("search", "item 0003", "item 0700", "--json", "-k", "30"),
                    ("search", "item 0003", "-k", "2000", "--threads", "1"))
        results = {}
        for state in ("with", "without", "damaged"):
            if state == "without":
                self.sketches.unlink()
            if state == "damaged":
                numbers, small = struct.unpack("<QQ", whole[32:48])
                at = 128 + 3 * 64 + 2888 * 4 * numbers + 8 + 4 * small + 70  # in the first block
                self.sketches.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            for words in commands:
                done = shop.run(*words, "-c", self.catalog)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout, results.setdefault(words, done.stdout), (state, words))
                self.assertEqual(b"warning: " in done.stderr, state == "damaged", done.stderr)
                self.assertEqual(b"measured in full" in done.stderr, state == "with", done.stderr)
                if state == "damaged":
                    self.assertIn(b"lookalike index -c", done.stderr)
        page = self.root / "page.html"
        pages = set()
        for state in (whole, None):
            self.sketches.write_bytes(whole) if state else self.sketches.unlink()
            done = shop.run("report", "-c", self.catalog, "-o", page, "--items", "40", text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            pages.add(page.read_bytes())
        self.assertEqual(len(pages), 1)

    def test_index_makes_it_again(self):
        whole = self.sketches.read_bytes()
        self.assertNotIn("sketch", shop.run("index", "-c", self.catalog, "-q", text=True).stderr)
        self.assertEqual(self.sketches.read_bytes(), whole)
        self.sketches.unlink()
        done = shop.run("index", "-c", self.catalog, "--threads", "1", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1,100 items", done.stderr)
        self.assertEqual(self.sketches.read_bytes(), whole)
        done = shop.run("verify", self.catalog, text=True)
        self.assertIn("sketch", done.stdout)
        self.sketches.write_bytes(whole[:-1])
        self.assert_fails(shop.run("verify", self.catalog, text=True), 6, "sketches.bin", "lookalike index")
        # Encode finds the codes whole and makes what is broken again.
        done = shop.run("encode", self.root / "list.csv", "-m", self.model, "-o", self.catalog, "--shard-rows", "300", "-q",
                        text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.sketches.read_bytes(), whole)

    def test_a_cut_index_leaves_the_catalog_as_it_was(self):
        whole = self.sketches.read_bytes()
        expected = self.recommend("-k", "3").stdout
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for wait in (0.02, 0.1, 0.3, 0.6):
                run = subprocess.Popen([shop.PROGRAM, "index", "-c", str(self.catalog)], stderr=subprocess.PIPE)
                time.sleep(wait)
                run.send_signal(number)
                run.communicate(timeout=60)
                self.assertIn(run.returncode, (0, -number, 128 + number))
                self.assertEqual(self.sketches.read_bytes(), whole)
        self.assertEqual(self.recommend("-k", "3").stdout, expected)
        self.assertEqual(shop.run("index", "-c", self.catalog, "-q").returncode, 0)
        self.assertEqual([path.name for path in self.sketches.parent.iterdir()], ["sketches.bin"])

    def test_what_is_wrong_is_refused(self):
        self.assert_fails(shop.run("index", "-c", self.root / "none", text=True), 2, "none")
        self.assertFalse((self.root / "none").exists())
        self.assert_fails(shop.run("index", text=True), 2, "--catalog")

    def test_a_small_catalog_has_none(self):
        small = self.root / "small"
        done = shop.run("encode", self.photos, "-m", self.model, "-o", small, "-q", text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse((small / "sketch").exists())
        done = shop.run("search", "discs/000.png", "-c", small, text=True)
        self.assertEqual(done.stderr, "")
        done = shop.run("index", "-c", small, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("as fast without", done.stderr)


if __name__ == "__main__":
    unittest.main()
