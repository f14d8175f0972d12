"""What a run says, where: on a terminal, in a pipe, in each --progress style. Standard library alone."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest
from pathlib import Path

import shop

PHOTOS = 24
AWKWARD = "it's my $shop"


def on_a_terminal(words, columns=100, **settings):
    """(exit code, standard output, what a terminal got from standard error)."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("TERM", "NO_COLOR")}
    run = subprocess.Popen([shop.PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=end, env={**environment, **settings})
    os.close(end)
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(terminal)
    out = run.stdout.read()
    run.stdout.close()
    return run.wait(timeout=60), out, said.decode("utf-8").replace("\r\n", "\n")


class ProgressTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.open_shop(PHOTOS)
        shop.train(cls.photos, cls.model)
        shop.run("encode", cls.photos, "-m", cls.model, "-o", cls.catalog, "-q")

    def each(self, *flags):
        """The long commands, into new folders."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        yield ["train", self.photos, "-o", folder / "m", "--epochs", "1", *flags], "train"
        yield ["encode", self.photos, "-m", self.model, "-o", folder / "c", *flags], "encode"
        yield ["recommend", "-c", self.catalog, "-k", "3", "-o", folder / "t.csv", *flags], "recommend"

    def test_a_terminal_gets_a_bar_and_no_colour(self):
        for settings in ({"TERM": "xterm-256color"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}):
            for words, task in self.each():
                with self.subTest(task):
                    code, out, said = on_a_terminal(words, **settings)
                    self.assertEqual((code, out), (0, b""), said)
                    self.assertRegex(said, rf"\r{task} \[=+\] 100\.0%  [\d,]+/[\d,]+ img  [\d,]+ img/s")
                    self.assertEqual(set(re.findall(r"\x1b\[[0-9;]*.", said)), {"\x1b[K"})
                    self.assertTrue(said.endswith("\n"))

    def test_a_bar_stays_on_its_line(self):
        for words, task in self.each():
            _, _, said = on_a_terminal(words, columns=30, TERM="xterm")
            bars = re.findall(rf"\r({task} [^\r\n\x1b]*)", said)
            self.assertTrue(bars, said)
            self.assertLess(max(map(len, bars)), 30)

    def test_a_dumb_terminal_and_a_pipe_get_lines(self):
        for settings in ({"TERM": "dumb"}, {}, None):
            for words, task in self.each():
                with self.subTest(task, settings=settings):
                    if settings is None:
                        done = shop.run(*words, text=True)
                        code, out, said = done.returncode, done.stdout.encode(), done.stderr
                    else:
                        code, out, said = on_a_terminal(words, **settings)
                    self.assertEqual((code, out), (0, b""), said)
                    self.assertNotIn("\r", said)
                    self.assertNotIn("\x1b", said)
                    self.assertRegex(said, rf"(?m)^{task} 100\.0%  [\d,]+/[\d,]+ img  [\d,]+ img/s")

    def test_the_style_can_be_chosen(self):
        for words, task in self.each("--progress", "bar"):
            self.assertIn(f"\r{task} [".encode(), shop.run(*words).stderr)
        for words, task in self.each("--progress", "plain"):
            _, _, said = on_a_terminal(words, TERM="xterm")
            self.assertNotIn("\r", said)
            self.assertRegex(said, rf"(?m)^{task} 100\.0%")
        for words, task in self.each("--progress", "json"):
            done = shop.run(*words, text=True)
            lines = [json.loads(line) for line in done.stderr.splitlines()]
            self.assertIn(task, {line["task"] for line in lines})
            last = [line for line in lines if "done" in line][-1]
            self.assertEqual(last["done"], last["total"])
            self.assertGreater(last["images_per_second"], 0)
        for words, task in self.each("--progress", "none"):
            said = shop.run(*words, text=True).stderr
            self.assertNotRegex(said, r"\d%")
            self.assertIn("next: ", said)
        for words, task in self.each("--quiet"):
            for done in (shop.run(*words), subprocess.CompletedProcess(words, *on_a_terminal(words, TERM="xterm"))):
                self.assertEqual((done.returncode, done.stdout, done.stderr or b""), (0, b"", b""), task)

    def test_the_next_command_can_be_pasted(self):
        work = self.root / AWKWARD
        work.mkdir()
        shutil.copytree(self.photos, work / "photos")
        # An id that begins with a dash, the first of the catalog.
        (work / "photos" / "-first.png").write_bytes(next((work / "photos").rglob("*.png")).read_bytes())
        settings = dict(os.environ, PATH=f"{Path(shop.PROGRAM).parent}:{os.environ['PATH']}")
        words = [shop.PROGRAM, "train", str(work / "photos"), "-o", str(work / "a model"), "--epochs", "1"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=work)
        seen = []
        for _ in range(3):
            self.assertEqual(done.returncode, 0, done.stderr)
            command = done.stderr.splitlines()[-1].removeprefix("next: ")
            seen.append(command.split()[1])
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False,
                                  cwd=work, env=settings)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(seen[:2], ["encode", "recommend"])
        self.assertTrue((work / "a catalog").is_dir())


class DryRunTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = Path(temporary.name)
        shop.make_photos(cls.root / "photos", 40)
        (cls.root / "photos" / "broken.png").write_bytes(b"no picture")
        shop.train(cls.root / "photos", cls.root / "model")
        shop.run("encode", "photos", "-m", "model", "-o", "catalog", "-q", cwd=cls.root)

    def plan(self, *words):
        """The plan's lines by name; the folder must stay as it is."""
        def tree():
            return sorted((str(p), p.lstat().st_mtime_ns) for p in self.root.rglob("*"))

        before = tree()
        done = shop.run(*words, text=True, cwd=self.root)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)
        self.assertEqual(tree(), before)
        return dict(re.split(r" +", line, maxsplit=1) for line in done.stdout.splitlines())

    def test_train(self):
        plan = self.plan("train", "photos", "-o", "new", "--epochs", "3", "--dry-run")
        self.assertRegex(plan["photos"], r"^37 to train on, 4 to validate; \d+\.\d KiB of files$")
        self.assertIn("3 epochs of 2 steps", plan["network"])
        self.assertIn("2.6 MiB of decoded photos, in memory", plan["memory"])
        self.assertRegex(plan["disk"], r"at most [\d.]+ [KM]iB in new, .* free$")
        self.assertRegex(plan["time"], r"^about \d+.*measured on \d+, \d refused\).*to train \([\d,]+/s\)")

    def test_encode(self):
        plan = self.plan("encode", "photos", "-m", "model", "-o", "new", "-n")
        self.assertRegex(plan["photos"], r"^41 listed, \d+\.\d KiB of files; 0 done before, 41 to encode$")
        self.assertRegex(plan["time"], r"^about \d+.*: [\d,]+ photos/s, measured .* on 41 photos .* 1 of which")
        self.assertIn("free", plan["disk"])
        # Told and true.
        told = float(re.search(r"about ([\d.]+) KiB", plan["disk"])[1])
        size = sum(p.stat().st_size for p in (self.root / "catalog").rglob("*") if p.is_file()) / 1024
        self.assertLess(abs(told - size) / size, 0.25)

    def test_what_is_done_is_not_planned_again(self):
        self.assertIn("finished already", self.plan("encode", "photos", "-m", "model", "-o", "catalog", "-n")["time"])
        train = ("train", "photos", "-o", "model", "--epochs", "1", "--batch-size", "16")
        self.assertIn("finished already", self.plan(*train, "-n")["time"])
        self.assertIn("about", self.plan(*train, "-n", "--force")["time"])

    def test_what_the_run_would_refuse_is_refused(self):
        for code, words in ((2, ("encode", "photos", "-m", "model", "-o", "catalog", "--shard-rows", "3")),
                            (2, ("encode", "photos", "-m", "model", "-o", "photos")),
                            (2, ("train", "photos", "-o", "model", "--epochs", "2")),
                            (2, ("train", "photos", "-o", "photos/m"))):
            done = shop.run(*words, "--dry-run", text=True, cwd=self.root)
            self.assert_fails(done, code)


if __name__ == "__main__":
    unittest.main()
