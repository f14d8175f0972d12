"""`lookalike encode` and `verify` as a user meets them: catalogs, kills, signals, refusals. Standard library alone."""

import os
import random
import re
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import shop

PHOTOS = 60
BROKEN = {"discs/broken.jpg": b"\xff\xd8 no picture", "discs/empty.png": b"", "stripes/text.webp": b"hello"}
SHARDS = 16  # of (PHOTOS + BROKEN) / 4


def catches(pid, number):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s*([0-9a-f]+)", status)[1], 16) >> (number - 1) & 1 == 1


class EncodeTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.root = Path(cls.temporary.name)
        cls.photos, cls.model_folder = cls.root / "photos", cls.root / "model"
        shop.make_photos(cls.photos, PHOTOS)
        for name, data in BROKEN.items():
            (cls.photos / name).write_bytes(data)
        shop.train(cls.photos, cls.model_folder)
        cls.unbroken = cls.root / "unbroken"
        start = time.monotonic()
        cls.first = cls.encode(cls.unbroken)
        cls.seconds = time.monotonic() - start
        if cls.first.returncode != 0:
            raise AssertionError(cls.first.stderr)
        cls.expected = shop.contents(cls.unbroken)

    @classmethod
    def words(cls, catalog, *flags, photos=None, model=None):
        standard = [("--shard-rows", "4"), ("--threads", "2")]
        kept = [word for pair in standard if pair[0] not in flags for word in pair]
        return ["encode", photos or cls.photos, "-m", model or cls.model_folder, "-o", catalog, *kept, *flags]

    @classmethod
    def encode(cls, catalog, *flags, **options):
        return shop.run(*cls.words(catalog, *flags, **options), text=True)

    def catalog(self):
        return self.root / self.id().rsplit(".", 1)[-1]

    def start(self, catalog):
        return subprocess.Popen([shop.PROGRAM, *map(str, self.words(catalog))], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def test_says_what_was_done_and_what_comes_next(self):
        self.assertEqual(self.first.stdout, "")
        lines = self.first.stderr.splitlines()
        self.assertRegex(lines[-3], r"^[a-z]+ limits: \d\.\d of \d+ cores; decoding \d+ % busy, encoding \d+ %, writing \d+ %$")
        self.assertRegex(lines[-4], r"^63 photos listed, 60 encoded, 3 refused; [\d,]+ images/s$")
        self.assertEqual(lines[-2], f"catalog: {self.unbroken}")
        self.assertEqual(lines[-1], f"next: lookalike recommend -c {self.unbroken} -o recommendations.csv")
        for name in BROKEN:
            self.assertRegex(self.first.stderr, rf"refused {re.escape(str(self.photos / name))}: \S")

    def test_the_ledger_accounts_for_every_photo(self):
        self.assertEqual(len(self.expected["ledger"]["items"]), PHOTOS)
        self.assertEqual(len(self.expected["ledger"]["refusals"]), len(BROKEN))
        names = [name for name in self.expected["files"] if name.endswith(".npy")]
        self.assertEqual(names, [f"codes_{s:05}.npy" for s in range(SHARDS)])
        size = sum((self.unbroken / "codes" / name).stat().st_size for name in names)
        self.assertEqual(size, SHARDS * 128 + PHOTOS * 2888 * 4)

    def test_verify_finds_it_whole(self):
        done = shop.run("verify", self.unbroken, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("60 encoded, 3 refused; complete", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_verify_names_a_changed_byte(self):
        catalog = self.catalog()
        self.encode(catalog)
        shard = catalog / "codes" / "codes_00002.npy"
        data = bytearray(shard.read_bytes())
        data[5000] ^= 1
        shard.write_bytes(data)
        self.assert_fails(shop.run("verify", catalog, text=True), 6, "codes_00002.npy")

    def test_repeated_it_changes_nothing(self):
        files = sorted(p for p in self.unbroken.rglob("*") if p.is_file())
        before = [(p, p.stat().st_mtime_ns, p.read_bytes()) for p in files]
        again = self.encode(self.unbroken)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("is finished already", again.stderr)
        self.assertIn("60 encoded, 3 refused", again.stderr)
        self.assertEqual([(p, p.stat().st_mtime_ns, p.read_bytes()) for p in files], before)

    def test_threads_and_batches_leave_no_trace(self):
        for flags in (("--threads", "1"), ("--batch-size", "1"), ("--batch_size=3",)):
            catalog = self.root / ("trace" + flags[0].strip("-") + flags[-1].strip("-"))
            done = self.encode(catalog, *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(shop.contents(catalog), self.expected)

    def test_killed_ten_times_it_ends_the_same(self):
        catalog = self.catalog()
        chance = random.Random(7)
        killed = 0
        for _ in range(200):
            if killed == 10:
                break
            run = self.start(catalog)
            time.sleep(chance.uniform(0, min(self.seconds, 1)))
            run.kill()
            run.communicate()
            if run.returncode == -signal.SIGKILL:
                killed += 1
            elif killed < 10:  # it was done before: begin anew, so that ten kills hit
                subprocess.run(["rm", "-rf", str(catalog)], check=True)
        self.assertEqual(killed, 10)
        done = self.encode(catalog)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(shop.contents(catalog), self.expected)
        self.assertEqual([p for p in catalog.rglob("*") if ".tmp-" in p.name], [])
        self.assertEqual(shop.run("verify", catalog).returncode, 0)

    def test_a_signal_keeps_whole_shards_and_says_so(self):
        for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
            catalog = self.root / name
            stopped = False
            for _ in range(20):
                run = self.start(catalog)
                while run.poll() is None and not list(catalog.glob("codes/codes_*.npy")):
                    time.sleep(0.001)
                run.send_signal(number)
                _, error = run.communicate(timeout=30)
                if run.returncode != 0:
                    stopped = True
                    break
                subprocess.run(["rm", "-rf", str(catalog)], check=True)
            self.assertTrue(stopped, "the run was always done before the signal")
            self.assertEqual(run.returncode, 128 + number, error)
            self.assertRegex(error, rf"stopped by {name} with \d+ of 63 photos in whole shards")
            self.assertEqual(shop.run("verify", catalog).returncode, 0)
            done = self.encode(catalog)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("going on after", done.stderr)
            self.assertEqual(shop.contents(catalog), self.expected)

    def test_other_settings_are_refused_by_name(self):
        catalog = self.catalog()
        self.encode(catalog)
        before = shop.contents(catalog)
        other_model = self.root / "other_model"
        shop.run("train", self.photos, "-o", other_model, "--epochs", "1", "--seed", "9", "--quiet")
        self.assert_fails(self.encode(catalog, "--shard-rows", "8"), 2, "shard_rows", "'4'", "'8'", "--force")
        self.assert_fails(self.encode(catalog, model=other_model), 2, "model", "--force")
        self.assert_fails(self.encode(catalog, photos=self.photos / "discs"), 2, "photos", "--force")
        self.assertEqual(shop.contents(catalog), before)
        # A list of nothing that can be used does not cost the catalog that is there.
        wrong = self.root / "wrong.txt"
        wrong.write_text("no/such.png\nnor/this.png\n", encoding="ascii")
        before = shop.contents(catalog)
        self.assert_fails(self.encode(catalog, "--force", photos=wrong), 3, "none of the 2 photos", "is as it was")
        self.assertEqual(shop.contents(catalog), before)
        forced = self.encode(catalog, "--force", photos=self.photos / "discs")
        self.assertEqual(forced.returncode, 0, forced.stderr)
        self.assertEqual(len(shop.ledger(catalog)["items"]), PHOTOS // 2)

    def test_a_changed_column_is_another_list(self):
        table = self.root / "priced.csv"
        table.write_text(f"path,price\n{self.photos / 'discs' / '000.png'},10\n")
        self.assertEqual(self.encode(self.catalog(), photos=table).returncode, 0)
        table.write_text(f"path,price\n{self.photos / 'discs' / '000.png'},20\n")
        self.assert_fails(self.encode(self.catalog(), photos=table), 2, "the labels and columns", "--force")

    def test_a_number_that_is_not_finite_is_damage_and_named(self):
        catalog = self.catalog()
        self.encode(catalog)
        shard = catalog / "codes" / "codes_00001.npy"
        with open(shard, "r+b") as file:
            file.seek(128 + 4 * 2888 * 2 + 4)
            file.write(struct.pack("<f", float("nan")))
        for words in (("recommend", "-o", "-"), ("search", "discs/000.png")):
            result = shop.run(*words, "-c", catalog, text=True)
            self.assertEqual(result.returncode, 6, result.stderr)
            self.assertIn("codes_00001.npy: row 2 has a number that is not finite", result.stderr)

    def test_labels_come_from_where_they_are_asked_for(self):
        table = self.root / "labelled.csv"
        table.write_text(f"path,label\n{self.photos / 'discs' / '000.png'},round\n")
        for flags, label in (((), "round"), (("--label", "parent"), "discs"), (("--label=none",), "")):
            catalog = self.root / f"labelled_{label}"
            done = self.encode(catalog, *flags, photos=table)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(shop.query(catalog, "SELECT label FROM items"), [(label.encode(),)])
        other = self.encode(self.root / "labelled_round", "--label", "top", photos=table)
        self.assert_fails(other, 2, "label 'column', not 'top'", "--force")

    def test_no_usable_photo_is_exit_code_3(self):
        empty, broken = self.root / "no_photos", self.root / "broken_photos"
        empty.mkdir()
        broken.mkdir()
        self.assert_fails(self.encode(self.catalog(), photos=empty), 3, "no photo")
        (broken / "a.jpg").write_bytes(b"no")
        (broken / "b.png").write_bytes(b"")
        result = self.encode(self.catalog(), photos=broken)
        self.assert_fails(result, 3, "none of the 2 photos")
        self.assertIn("refused " + str(broken / "a.jpg"), result.stderr)

    def test_wrong_flags_are_exit_code_2(self):
        for flags, text in ((("--batch-size", "0"), "--batch-size"), (("--shard-rows", "-1"), "--shard-rows"),
                            (("--threads", "x"), "--threads"), (("--device", "abacus"), "abacus"),
                            (("--progress", "loud"), "--progress"), (("--no-such",), "--no-such")):
            self.assert_fails(self.encode(self.catalog(), *flags), 2, text)
        self.assertFalse(self.catalog().exists())

    def test_a_second_run_is_told_who_has_the_catalog(self):
        catalog = self.catalog()
        catalog.mkdir()
        for _ in range(20):
            first = self.start(catalog)
            while first.poll() is None and not (catalog / "catalog.sqlite").exists():
                time.sleep(0.001)
            first.send_signal(signal.SIGSTOP)
            second = self.encode(catalog)
            first.send_signal(signal.SIGCONT)
            first.communicate(timeout=60)
            if second.returncode != 0:
                break
            subprocess.run(["rm", "-rf", str(catalog)], check=True)
        self.assert_fails(second, 9, str(first.pid))

    def test_quiet_says_nothing(self):
        done = self.encode(self.catalog(), "--quiet")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_list_on_standard_input(self):
        names = sorted(str(p) for p in (self.photos / "discs").glob("0*.png"))
        done = subprocess.run([shop.PROGRAM, *map(str, self.words(self.catalog(), photos="-"))],
                              input="\n".join(names), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(names)} photos listed, {len(names)} encoded", done.stderr)

    def test_a_signal_ends_the_wait_for_a_list(self):
        pipe = self.root / "pipe.txt"
        os.mkfifo(pipe)
        for photos in ("-", pipe):
            words = [shop.PROGRAM, *map(str, self.words(self.catalog(), photos=photos))]
            run = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while not catches(run.pid, signal.SIGINT):
                self.assertIsNone(run.poll())
                time.sleep(0.01)
            time.sleep(0.2)  # by now it waits
            run.send_signal(signal.SIGINT)
            _, error = run.communicate(timeout=20)
            self.assertEqual(run.returncode, 130, error)
            self.assertIn("stopping", error)
            self.assertFalse(self.catalog().exists())

    def test_a_list_from_a_named_pipe(self):
        pipe = self.root / "named.txt"
        os.mkfifo(pipe)
        run = subprocess.Popen([shop.PROGRAM, *map(str, self.words(self.catalog(), photos=pipe))],
                               stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)  # it is there first
        pipe.write_text(f"{self.photos}/discs/000.png\n{self.photos}/stripes/001.png\n")
        _, error = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, error)
        self.assertIn("2 photos listed, 2 encoded", error)

    def test_names_of_any_bytes(self):
        photos = os.fsencode(self.root / "odd names")
        os.mkdir(photos)
        names = [b"line\nend.png", b"comma, \"quote\".png", b"\xff\xfe.png", b"\x1b[31mred.png", b"-dash.png", b" .png",
                 "grün €.png".encode(), b"x" * 251 + b".png"]
        for i, name in enumerate(names):
            shop.write_png(photos + b"/" + name, 40, 40, shop.product(i))
        catalog = self.catalog()
        done = shop.run(*self.words(catalog, photos=photos))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(b"\x1b", done.stderr)
        rows = repr(shop.ledger(catalog)["items"])
        for name in names:
            self.assertIn(repr(name)[2:-1].replace("\\", "\\\\"), rows.replace("\\'", "'"))
        self.assertEqual(shop.run("verify", catalog).returncode, 0)


if __name__ == "__main__":
    unittest.main()
