"""Photos as they come: what cannot be used is refused, counted and listed; folders move. Standard library alone."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import shop

GOOD = 20
NAMES = [b"line\nend.png", b"a,\"b\" c.png", b"\xff\x1b[31m.png", "grün €.png".encode()]
TEXTS = ["line\nend.png", "a,\"b\" c.png", "hex:ff1b5b33316d2e706e67", "grün €.png"]


class PhotosTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.root = Path(cls.temporary.name)
        cls.photos, cls.model = cls.root / "photos", cls.root / "model"
        shop.make_photos(cls.photos, GOOD)
        shop.train(cls.photos, cls.model)

    def place(self, *parts):
        return self.root.joinpath(self.id().rsplit(".", 1)[-1], *parts)

    def copy(self, *broken):
        """The good photos and some broken ones, in a folder of their own."""
        photos = self.place("photos")
        shop.make_photos(photos, GOOD)
        for name in broken:
            (photos / name).write_bytes(b"no picture")
        return photos

    def encode(self, photos, *flags, catalog=None, model=None):
        return shop.run("encode", photos, "-m", model or self.model, "-o", catalog or self.place("catalog"), "--threads",
                        "2", "--shard-rows", "4", *flags, text=True)

    def refusals(self, *flags, **options):
        return shop.run("refusals", "-c", self.place("catalog"), *flags, **options)

    def test_what_is_no_file_is_refused_at_once(self):
        photos = self.copy()
        os.mkfifo(photos / "fifo.jpg")
        (photos / "zero.jpg").symlink_to("/dev/zero")
        (photos / "folder.jpg").mkdir()
        (photos / "discs" / "up").symlink_to("..")
        (photos / "loop.jpg").symlink_to("loop.jpg")
        (photos / "gone.jpg").symlink_to("nowhere")
        with socket.socket(socket.AF_UNIX) as end, tempfile.TemporaryDirectory() as short:
            end.bind(f"{short}/s")
            os.rename(f"{short}/s", photos / "socket.jpg")
            done = self.encode(photos)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{GOOD + 6} photos listed, {GOOD} encoded, 6 refused", done.stderr)
        reasons = {line["id"]: line["reason"] for line in map(json.loads, self.refusals("--json").stdout.splitlines())}
        for name in ("fifo.jpg", "folder.jpg", "socket.jpg", "zero.jpg"):
            self.assertEqual(reasons[name], "not a regular file")
        self.assertEqual(reasons["gone.jpg"], "no such file")
        self.assertRegex(reasons["loop.jpg"], "^cannot be opened: ")

    def test_refusals_are_listed_in_three_forms(self):
        photos = self.copy()
        for name in NAMES:
            with open(os.fsencode(photos) + b"/" + name, "wb") as file:
                file.write(b"no picture")
        done = self.encode(photos)
        self.assertIn("\\x0a", done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        root = os.fsencode(photos) + b"/"
        reason = "not a JPEG, PNG, WebP, BMP, TIFF or GIF photo"

        lines = [json.loads(line) for line in self.refusals("--json").stdout.splitlines()]
        self.assertEqual({line["id"] for line in lines}, set(TEXTS))
        self.assertEqual({line["reason"] for line in lines}, {reason})
        text = self.refusals("--csv").stdout.decode("utf-8", "surrogateescape")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        self.assertEqual(rows[0], ["id", "path", "reason"])
        self.assertEqual({row[0].encode("utf-8", "surrogateescape") for row in rows[1:]}, set(NAMES))
        self.assertEqual({row[1].encode("utf-8", "surrogateescape") for row in rows[1:]}, {root + n for n in NAMES})
        table = self.refusals()
        self.assertEqual(table.stdout.count(b"\n"), len(NAMES))
        self.assertNotIn(b"\x1b", table.stdout + table.stderr)
        self.assertTrue(all(line.startswith(reason) for line in table.stdout.decode().splitlines()))
        self.assertIn(b"24 photos listed, 20 encoded, 4 refused", table.stderr)
        self.assertEqual(self.refusals("-q").stderr, b"")
        self.assert_fails(self.refusals("--json", "--csv", text=True), 2, "take one")
        self.assert_fails(shop.run("refusals", "-c", photos, text=True), 2, "there is no catalog")

    def test_too_many_refused_is_exit_code_4_and_loses_nothing(self):
        photos = self.copy("a.jpg", "b.jpg")  # 2 of 22
        enough = self.encode(photos, "--max-bad", "10%")
        self.assertEqual(enough.returncode, 0, enough.stderr)
        for limit in ("9%", "1", "0%", "0"):
            failed = self.encode(photos, "--max-bad", limit)
            self.assert_fails(failed, 4, f"2 of 22 photos were refused, more than --max-bad {limit}", "refusals -c")
        whole = shop.contents(self.place("catalog"))
        other = self.place("other")
        self.assert_fails(self.encode(photos, "--max-bad", "1", catalog=other), 4, "the catalog is whole")
        self.assertEqual(shop.contents(other), whole)
        for bad in ("x", "-1", "101%", "5%x", "%", "1.5", "1e2%"):
            self.assert_fails(self.encode(photos, f"--max-bad={bad}"), 2, "--max-bad")

    def test_train_checks_before_it_trains(self):
        photos, model = self.copy("a.jpg", "b.jpg"), self.place("model")
        words = ("train", photos, "-o", model, "--epochs", "1", "--batch-size", "16")
        failed = shop.run(*words, "--max-bad", "5%", text=True)
        self.assert_fails(failed, 4, "2 of 22 photos were refused, more than --max-bad 5%", "refused.csv")
        self.assertFalse((model / "training.safetensors").exists())
        self.assertEqual(len((model / "refused.csv").read_text().splitlines()), 3)
        self.assertEqual(shop.run(*words, "--max-bad", "10%").returncode, 0)
        self.assert_fails(shop.run(*words, "--max-bad", "5%", text=True), 4, "2 of 22 photos")  # already trained

    def test_limits_are_flags_and_kept(self):
        photos = self.copy()
        done = self.encode(photos, "--max-pixels", "3100")  # 60 x 51 and more are above
        self.assertIn("20 photos listed, 6 encoded, 14 refused", done.stderr)
        self.assertIn("pixels are more than the limit of 3100", done.stderr)
        self.assert_fails(self.encode(photos), 2, "the limits of a photo", "'3100 pixels, ", "--force")
        small = self.encode(photos, "--max-file-size", "200", catalog=self.place("small"))
        self.assertIn("more than the limit of 200", small.stderr)
        for flag, value in (("--max-pixels", "0"), ("--max-file-size", "4G"), ("--max-scans", "0"),
                            ("--max-pixels", "9999999999"), ("--max-file-size", "x")):
            self.assert_fails(self.encode(photos, flag, value, catalog=self.place("no")), 2, flag)
        trained = shop.run("train", photos, "-o", self.place("model"), "--epochs", "1", "--max-pixels", "3100", text=True)
        self.assertEqual(trained.returncode, 0, trained.stderr)
        self.assertIn("14 refused", trained.stderr)

    def test_another_rule_is_refused_by_name(self):
        photos, model = self.copy(), self.place("model")
        self.encode(photos)
        trained = shop.run("train", photos, "-o", model, "--epochs", "1", "--fit", "crop", "--background", "navy")
        self.assertEqual(trained.returncode, 0, trained.stderr)
        failed = self.encode(photos, model=model)
        self.assert_fails(failed, 2, "photo_rule 'pad #ffffff', not 'crop #000080'", "--force")
        self.assert_fails(shop.run("train", photos, "-o", self.place("m2"), "--background", "mauve", text=True), 2,
                          "--background is 'mauve'")

    def test_a_moved_folder_is_the_same_list(self):
        photos, moved, catalog = self.copy("a.jpg"), self.place("moved"), self.place("catalog")
        for _ in range(50):  # until one is stopped half way
            run = subprocess.Popen([shop.PROGRAM, "encode", photos, "-m", self.model, "-o", catalog, "--shard-rows", "1",
                                    "--threads", "1", "-q"], stderr=subprocess.DEVNULL)
            while run.poll() is None and not list(catalog.glob("codes/codes_0000[2-9].npy")):
                time.sleep(0.001)
            run.send_signal(signal.SIGINT)
            if run.wait(timeout=60) != 0:
                break
            subprocess.run(["rm", "-rf", str(catalog)], check=True)
        self.assertEqual(run.returncode, 130)
        photos.rename(moved)
        words = ("encode", moved, "-m", self.model, "-o", catalog, "--shard-rows", "1")
        done = shop.run(*words, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("going on after", done.stderr)
        unbroken = self.place("unbroken")
        shop.run("encode", moved, "-m", self.model, "-o", unbroken, "--shard-rows", "1", "-q")
        self.assertEqual(shop.contents(catalog), shop.contents(unbroken))
        found = shop.run("search", "discs/000.png", "-c", catalog, "--json", "-k", "1", text=True)
        self.assertTrue(json.loads(found.stdout)["neighbours"][0]["path"].startswith(str(moved)))

        # Other photos of the same names are another catalog's.
        elsewhere = self.place("elsewhere")
        moved.rename(elsewhere)
        shop.write_png(elsewhere / "stripes" / "003.png", 60, 50, shop.product(77))
        failed = shop.run("encode", elsewhere, *words[2:], text=True)
        self.assert_fails(failed, 2, "elsewhere/stripes/003.png is not the photo that", "--force")
        self.assertEqual(shop.contents(catalog), shop.contents(unbroken))

    def test_equal_ids_name_both_lines(self):
        table = self.root / "equal.csv"
        table.write_text("path,id\nphotos/discs/000.png,1\n\nphotos/discs/002.png,1\n")
        for words in (("encode", table, "-m", self.model, "-o", self.place("c")), ("train", table, "-o", self.place("m"))):
            self.assert_fails(shop.run(*words, text=True), 2, "lines 2 and 4: two photos have the id 1")


if __name__ == "__main__":
    unittest.main()
