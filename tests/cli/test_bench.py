"""`lookalike bench` and the sentence that ends encode and train. No rate is judged."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import shop

SENTENCE = r"(decoding|reading|encoding|writing|training|saving) limits: \d+\.\d of \d+ cores; .* \d+ % busy"


class Bench(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.place = Path(cls.folder.name)
        shop.make_photos(cls.place / "photos", 12)
        (cls.place / "photos" / "none.png").write_bytes(b"no picture")
        (cls.place / "tmp").mkdir()
        cls.environment = {**os.environ, "TMPDIR": str(cls.place / "tmp")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def bench(self, *words):
        done = shop.run("bench", "--device", "cpu", "--seconds", "0.5", *words, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list((self.place / "tmp").iterdir()), [])
        return done.stdout.decode()

    def test_pictures_of_its_own(self):
        text = self.bench()
        for word in ("32 pictures of our own", "decode", "encode", "train", "search", "end to end", "cpu: "):
            self.assertIn(word, text)
        self.assertRegex(text, SENTENCE)

    def test_photos_as_json(self):
        facts = json.loads(self.bench(self.place / "photos", "--json", "--threads", "1"))
        self.assertEqual((facts["sample"], facts["refused"], facts["threads"]), (12, 1, 1))
        self.assertGreater(facts["decode_photos_per_second"], 0)
        (device,) = facts["devices"]
        self.assertEqual(device["kind"], "cpu")
        for name in ("encode_images_per_second", "train_images_per_second", "search_queries_per_second",
                     "end_to_end_photos_per_second"):
            self.assertGreater(device[name], 0, name)
        self.assertRegex(device["bottleneck"], f"^{SENTENCE}")

    def test_photos_that_cannot_be_used(self):
        (self.place / "bad").mkdir()
        (self.place / "bad" / "a.jpg").write_bytes(b"no picture")
        self.assert_fails(shop.run("bench", self.place / "bad", text=True, env=self.environment), 3, "none of the 1 photos")
        self.assertEqual(list((self.place / "tmp").iterdir()), [])

    def test_a_signal_leaves_nothing(self):
        for name, wait in ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.3)):
            running = subprocess.Popen([shop.PROGRAM, "bench", "--device", "cpu", "--seconds", "600"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
            while not list((self.place / "tmp").iterdir()):
                time.sleep(0.01)
            time.sleep(wait)
            running.send_signal(name)
            output, _ = running.communicate(timeout=60)
            self.assertEqual(running.returncode, 128 + name)
            self.assertEqual(output, b"")
            self.assertEqual(list((self.place / "tmp").iterdir()), [])

    def test_encode_and_train_say_what_limits_them(self):
        model, catalog = self.place / "model", self.place / "catalog"
        done = shop.run("train", self.place / "photos", "-o", model, "--epochs", "1", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall(SENTENCE, done.stderr)), 1, done.stderr)
        done = shop.run("encode", self.place / "photos", "-m", model, "-o", catalog, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall(SENTENCE, done.stderr)), 1, done.stderr)
        # Nothing is done, nothing limits it.
        again = shop.run("encode", self.place / "photos", "-m", model, "-o", catalog, text=True)
        self.assertNotRegex(again.stderr, SENTENCE)


if __name__ == "__main__":
    unittest.main()
