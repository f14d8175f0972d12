"""`lookalike train` as a user meets it: files, exit codes, kills, signals. Standard library alone."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import shop
from shop import write_png

PROGRAM = os.environ["LOOKALIKE"]
PHOTOS = 40
TRAINED = 36  # PHOTOS less the validation share of 0.1


def make_photos(folder):
    for i in range(PHOTOS):
        place = folder / ("stripes" if i % 2 else "discs")
        place.mkdir(parents=True, exist_ok=True)

        def pixel(x, y, i=i):
            inside = (x // (4 + i % 5)) % 2 if i % 2 else (x - 30) ** 2 + (y - 25) ** 2 < (8 + i) ** 2
            return (17 * i % 256, 90, 200) if inside else (240, 250 - i, 235)

        write_png(place / f"{i:02}.png", 60, 50 + i % 7, pixel)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def state_of(model):
    return {name: digest(model / name) for name in ("model.safetensors", "training.safetensors")}


def history_of(model):
    """metrics.csv without the seconds."""
    return [line.rsplit(",", 1)[0] for line in (model / "metrics.csv").read_text().splitlines()]


class TrainTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.root = Path(cls.temporary.name)
        cls.photos = cls.root / "photos"
        make_photos(cls.photos)
        cls.unbroken = cls.root / "unbroken"
        start = time.monotonic()
        cls.first = cls.run_train(cls.unbroken)
        cls.unbroken_seconds = time.monotonic() - start
        if cls.first.returncode != 0:
            raise AssertionError(cls.first.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def command(cls, model, *flags, photos=None):
        standard = {"--epochs": "4", "--batch-size": "8", "--threads": "2"}
        for flag, value in zip(flags[::2], flags[1::2]):
            standard[flag] = value
        words = [word for pair in standard.items() for word in pair if word is not None]
        return [PROGRAM, "train", str(photos or cls.photos), "-o", str(model)] + words

    @classmethod
    def run_train(cls, model, *flags, photos=None):
        return subprocess.run(cls.command(model, *flags, photos=photos), capture_output=True, text=True, timeout=120)

    def model(self):
        return self.root / self.id().rsplit(".", 1)[-1]

    def test_writes_the_models_folder(self):
        self.assertEqual(self.first.stdout, "")
        self.assertEqual(
            sorted(p.name for p in self.unbroken.iterdir() if not p.name.startswith(".")),
            ["metrics.csv", "model.safetensors", "previews", "training.safetensors"],
        )
        self.assertEqual(
            sorted(p.name for p in (self.unbroken / "previews").iterdir()),
            [f"epoch_{e:04}.png" for e in range(1, 5)],
        )
        rows = history_of(self.unbroken)
        self.assertEqual(rows[0], "epoch,images,loss,validation_loss,learning_rate")
        self.assertEqual(len(rows), 5)
        losses = []
        for epoch, row in enumerate(rows[1:], 1):
            fields = row.split(",")
            self.assertEqual(fields[:2], [str(epoch), str(epoch * TRAINED)])
            self.assertEqual(fields[4], "0.001")
            losses.append(float(fields[2]))
            self.assertLess(float(fields[3]), 0.8)
        self.assertLess(losses[-1], losses[0])

    def test_says_what_was_done_and_what_comes_next(self):
        last = self.first.stderr.splitlines()[-5:]
        self.assertRegex(last.pop(1), r"^[a-z]+ limits: \d\.\d of \d+ cores; training \d+ % busy, decoding \d+ %, saving \d+ %$")
        self.assertRegex(last[0], r"36 photos trained on, 4 validated, 0 refused; \d+ images/s")
        self.assertRegex(last[1], r"finished after 4 epochs; best epoch \d, validation loss 0\.\d{4}")
        self.assertEqual(last[2], f"model: {self.unbroken}/model.safetensors")
        self.assertEqual(last[3], f"next: lookalike encode {self.photos} -m {self.unbroken} -o {self.unbroken}.catalog")

    def test_a_finished_run_repeated_changes_nothing(self):
        files = sorted(p for p in self.unbroken.rglob("*") if p.is_file())
        before = [(p, p.stat().st_mtime_ns, digest(p)) for p in files]
        again = self.run_train(self.unbroken)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("finished already", again.stderr)
        self.assertEqual([(p, p.stat().st_mtime_ns, digest(p)) for p in files], before)

    def test_threads_and_memory_leave_no_trace(self):
        for flags in (("--threads", "1"), ("--memory", "1M")):
            model = self.root / ("same" + flags[1])
            result = self.run_train(model, *flags)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(state_of(model), state_of(self.unbroken), flags)

    def test_underscores_are_taken_for_dashes(self):
        model = self.model()
        words = [w.replace("--batch-size", "--batch_size") for w in self.command(model)]
        result = subprocess.run(words, capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(state_of(model), state_of(self.unbroken))

    def test_ten_kills_leave_no_trace(self):
        seed = int(os.environ.get("LOOKALIKE_SEED", random.randrange(1 << 32)))
        print(f"\nLOOKALIKE_SEED={seed}", file=sys.stderr)
        chance = random.Random(seed)
        kills = finished = 0
        model = self.root / "killed0"
        while kills < 10 or finished == 0:
            # Past the end now and then, so that finishing is possible; after ten kills the run is left alone.
            delay = chance.uniform(0, 1.1 * self.unbroken_seconds) if kills < 10 else 120
            run = subprocess.Popen(self.command(model, "--quiet", None), stderr=subprocess.PIPE, text=True)
            try:
                _, errors = run.communicate(timeout=delay)
            except subprocess.TimeoutExpired:
                run.kill()
                run.communicate()
                kills += 1
                continue
            self.assertEqual(run.returncode, 0, errors)
            self.assertEqual(state_of(model), state_of(self.unbroken), f"after {kills} kills, seed {seed}")
            self.assertEqual(history_of(model), history_of(self.unbroken))
            for preview in (self.unbroken / "previews").iterdir():
                self.assertEqual(digest(preview), digest(model / "previews" / preview.name))
            self.assertEqual([p for p in model.rglob("*") if "tmp" in p.name], [], "left behind")
            finished += 1
            model = self.root / f"killed{finished}"

    def test_signals_save_and_stop(self):
        for asked in (signal.SIGINT, signal.SIGTERM):
            model = self.root / f"stopped{asked}"
            long = ("--epochs", "1000")
            run = subprocess.Popen(self.command(model, *long), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while not (model / "training.safetensors").exists():
                self.assertIsNone(run.poll(), "it ended by itself")
                time.sleep(0.01)
            run.send_signal(asked)
            out, errors = run.communicate(timeout=60)
            self.assertEqual(run.returncode, 128 + asked, errors)
            self.assertEqual(out, "")
            self.assertRegex(errors.splitlines()[-1], rf"stopped by {asked.name} and saved after .* same command goes on")

    def test_a_run_stopped_by_a_signal_ends_as_an_unbroken_one(self):
        model = self.model()
        stops = 0
        while True:
            run = subprocess.Popen(self.command(model), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            rows = len(history_of(model)) if (model / "metrics.csv").exists() else 1
            while run.poll() is None and stops < 3:
                now = len(history_of(model)) if (model / "metrics.csv").exists() else 1
                if now > rows:  # a whole epoch further: somewhere in the next one
                    run.send_signal(signal.SIGINT)
                    break
                time.sleep(0.002)
            _, errors = run.communicate(timeout=60)
            if run.returncode == 0:
                break
            self.assertEqual(run.returncode, 130, errors)
            stops += 1
        self.assertGreaterEqual(stops, 1)
        self.assertEqual(state_of(model), state_of(self.unbroken))
        self.assertEqual(history_of(model), history_of(self.unbroken))

    def test_other_settings_are_refused_by_name(self):
        before = state_of(self.unbroken)
        for flag, value in (
            ("--epochs", "5"),
            ("--batch-size", "9"),
            ("--learning-rate", "0.002"),
            ("--seed", "2"),
            ("--validation", "0.2"),
            ("--patience", "3"),
            ("--fit", "crop"),
            ("--background", "black"),
        ):
            shown = "#000000" if value == "black" else value
            self.assert_fails(self.run_train(self.unbroken, flag, value), 2, f"{flag} '", f"not '{shown}'", "--force")
        self.assertEqual(state_of(self.unbroken), before)

    def test_other_photos_are_refused(self):
        photos, model = self.root / "growing", self.model()
        make_photos(photos)
        self.assertEqual(self.run_train(model, "--epochs", "1", photos=photos).returncode, 0)
        write_png(photos / "one_more.png", 8, 8, lambda x, y: (x, y, 0))
        result = self.run_train(model, "--epochs", "1", photos=photos)
        self.assert_fails(result, 2, "list of photos", "--force")

    def test_changed_photos_are_refused_when_a_run_goes_on(self):
        photos, model = self.root / "changing", self.model()
        make_photos(photos)
        run = subprocess.Popen(self.command(model, "--epochs", "1000", photos=photos), stderr=subprocess.DEVNULL)
        while not (model / "training.safetensors").exists():
            self.assertIsNone(run.poll(), "it ended by itself")
            time.sleep(0.01)
        run.kill()
        run.wait()
        for photo in photos.rglob("*.png"):
            write_png(photo, 8, 8, lambda x, y: (x, y, 0))
        before = digest(model / "training.safetensors")
        result = self.run_train(model, "--epochs", "1000", photos=photos)
        self.assert_fails(result, 2, "contents", "--force")
        self.assertEqual(digest(model / "training.safetensors"), before)

    def test_force_starts_over(self):
        model = self.model()
        self.assertEqual(self.run_train(model, "--seed", "2", "--epochs", "6").returncode, 0)
        self.assertNotEqual(state_of(model), state_of(self.unbroken))
        result = self.run_train(model, "--force", None)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(state_of(model), state_of(self.unbroken))
        self.assertEqual(history_of(model), history_of(self.unbroken))
        self.assertEqual(len(list((model / "previews").iterdir())), 4)

    def test_what_is_lost_beside_the_state_is_made_again(self):
        model = self.model()
        self.assertEqual(self.run_train(model).returncode, 0)
        (model / "model.safetensors").write_bytes(b"not a model")
        self.assertEqual(self.run_train(model).returncode, 0)
        self.assertEqual(state_of(model), state_of(self.unbroken))

    def test_a_damaged_state_is_named(self):
        model = self.model()
        self.assertEqual(self.run_train(model, "--epochs", "1").returncode, 0)
        data = bytearray((model / "training.safetensors").read_bytes())
        data[len(data) // 2] ^= 4
        (model / "training.safetensors").write_bytes(data)
        self.assert_fails(self.run_train(model, "--epochs", "1"), 6, "training.safetensors", "--force")
        self.assertEqual((model / "training.safetensors").read_bytes(), data)
        os.remove(model / "training.safetensors")
        self.assert_fails(self.run_train(model, "--epochs", "1"), 2, "model.safetensors", "--force")

    def test_numbers_that_are_not_finite_stop_the_run(self):
        model = self.model()
        result = self.run_train(model, "--learning-rate", "1e30")
        self.assert_fails(result, 7, "in epoch 1", "at step", "--learning-rate is 1e+30")
        self.assertFalse((model / "training.safetensors").exists())
        self.assertFalse((model / "model.safetensors").exists())

    def test_broken_photos_are_counted_and_listed(self):
        photos, model = self.root / "broken", self.model()
        make_photos(photos)
        whole = (photos / "discs" / "00.png").read_bytes()
        (photos / "discs" / "cut, short.png").write_bytes(whole[: len(whole) // 2])
        (photos / "discs" / "empty.png").write_bytes(b"")
        result = self.run_train(model, "--epochs", "1", "--validation", "0", photos=photos)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("40 photos trained on, 0 validated, 2 refused", result.stderr)
        rows = (model / "refused.csv").read_text().splitlines()
        self.assertEqual(rows[0], "id,path,reason")
        self.assertEqual(len(rows), 3)
        self.assertTrue(rows[1].startswith('"discs/cut, short.png",'), rows[1])
        self.assertTrue(rows[2].startswith("discs/empty.png,"), rows[2])
        self.assertEqual((model / "metrics.csv").read_text().splitlines()[1].split(",")[3], "")

    def test_no_usable_photo(self):
        photos = self.root / "hopeless"
        photos.mkdir()
        self.assert_fails(self.run_train(self.model(), photos=photos), 3, str(photos))
        (photos / "a.png").write_bytes(b"not a picture")
        self.assert_fails(self.run_train(self.model(), photos=photos), 3, "refused.csv")
        self.assert_fails(self.run_train(self.model(), photos=self.root / "nowhere"), 2, "nowhere")

    def test_a_folder_in_use_is_refused(self):
        model = self.model()
        run = subprocess.Popen(self.command(model, "--epochs", "1000"), stderr=subprocess.DEVNULL)
        try:
            while not (model / "training.safetensors").exists():
                self.assertIsNone(run.poll(), "it ended by itself")
                time.sleep(0.01)
            self.assert_fails(self.run_train(model, "--epochs", "1000"), 9, str(run.pid))
            self.assertIsNone(run.poll())
        finally:
            run.kill()
            run.wait()

    def test_a_folder_among_the_photos_is_refused(self):
        self.assert_fails(self.run_train(self.photos / "model"), 2, "outside")
        self.assertFalse((self.photos / "model").exists())

    def test_a_list_on_standard_input_and_validation_of_its_own(self):
        photos = sorted(str(p) for p in self.photos.rglob("*.png"))
        kept = self.root / "kept.txt"
        kept.write_text("\n".join(photos[:3]) + "\n")
        model = self.model()
        words = self.command(model, "--validation", str(kept), "--epochs", "1", photos="-")
        result = subprocess.run(words, input="\n".join(photos[3:]), capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("37 photos trained on, 3 validated", result.stderr)

    def test_quiet_says_nothing(self):
        result = self.run_train(self.model(), "--epochs", "1", "--quiet", None)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


class FrameTest(shop.CommandTest):
    def run_words(self, *words, **settings):
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=20, **settings)

    def test_help_is_a_result(self):
        top = self.run_words("--help")
        self.assertEqual((top.returncode, top.stderr), (0, ""))
        self.assertLess(top.stdout.index("Examples"), top.stdout.index("Usage"))
        self.assertIn("128+n", top.stdout)
        train = self.run_words("train", "--help")
        self.assertEqual((train.returncode, train.stderr), (0, ""))
        for default in ("20", "32", "0.001", "0.1", "pad", "#ffffff", "auto"):
            self.assertIn("=" + default + " ", train.stdout)
        self.assertEqual(self.run_words("help", "train").stdout, train.stdout)
        self.assertEqual(self.run_words("help").stdout, top.stdout)
        commands = re.findall(r"^  ([a-z-]+) +[A-Z]", top.stdout, re.MULTILINE)
        self.assertGreater(len(commands), 10)
        for text in (top.stdout, *(self.run_words(command, "--help").stdout for command in commands)):
            for line in text.splitlines():
                if not line.startswith("  lookalike "):
                    self.assertLessEqual(len(line), 80, line)

    def test_the_exit_code_is_told_where_standard_error_is_not(self):
        for redirection in ("2>/dev/full", "2>&-", "0<&- 2>&-"):
            with self.subTest(redirection):
                done = subprocess.run(["sh", "-c", f'exec "$0" nonsense {redirection}', PROGRAM], timeout=20)
                self.assertEqual(done.returncode, 2)

    def test_what_the_system_refuses_is_exit_code_5(self):
        result = self.run_words("train", ".", "-o", "m" * 300)
        self.assert_fails(result, 5, "name too long")

    def test_version(self):
        self.assertRegex(self.run_words("--version").stdout, r"^lookalike \d+\.\d+\.\d+\n$")

    def test_nothing_asked(self):
        result = self.run_words()
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("Usage", result.stderr)

    def test_what_is_not_understood_is_one_line_with_a_way_out(self):
        for words, texts in (
            (("train", "photos", "-o", "m", "--epoch", "3"), ("--epoch", "did you mean --epochs", "lookalike train --help")),
            (("train", "photos", "-o", "m", "--zzz"), ("--zzz", "lookalike train --help")),
            (("train",), ("PHOTOS", "lookalike train --help")),
            (("train", "photos"), ("--output", "lookalike train --help")),
            (("train", "photos", "-o"), ("--output", "lookalike train --help")),
            (("train", "photos", "more", "-o", "m"), ("more", "lookalike train --help")),
            (("trian",), ("trian", "did you mean train", "lookalike --help")),
            (("--nope",), ("--nope", "lookalike --help")),
        ):
            with self.subTest(words=words):
                result = self.run_words(*words)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertTrue(result.stderr.startswith("lookalike: error[E_USAGE]: "))
                for text in texts:
                    self.assertIn(text, result.stderr)

    def test_a_full_disk_under_standard_output(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
        self.assertEqual(result.returncode, 5)
        self.assertIn("E_SYSTEM", result.stderr)


if __name__ == "__main__":
    unittest.main()
