"""The scripts around the program: they parse, explain themselves, and refuse what is wrong in one line."""

import ast
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHELL_SCRIPTS = [*sorted((ROOT / "tools").glob("*.sh")), ROOT / ".ci" / "run"]
PYTHON_SCRIPTS = sorted(path for folder in ("tools", "bench", "tests") for path in (ROOT / folder).rglob("*.py"))


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, **options)


class Scripts(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work)

    def stub(self, name, text):
        path = self.work / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def with_stubs(self, **more):
        return dict(os.environ, PATH=f"{self.work / 'bin'}:{os.environ['PATH']}", **more)

    def test_the_peers_table_and_plot(self):
        side = {"setting": "", "rates": [1.0]}
        memory = {"work": "encode", "threads": 2, "processor": "<a & b>", "rounds": 7, "seconds": 3,
                  "sides": [{**side, "side": "ours", "images_per_second": 4910.4, "ratio": 1.0},
                            {**side, "side": "tensorflow", "images_per_second": 1716, "ratio": 2.86}]}
        whole = {"work": "train", "photos": 3409, "threads": 2, "rounds": 1, "epochs": 20, "processor": "x",
                 "keras_setting": "--onednn", "seconds": {"ours": [3.0, 1.0, 2.0], "keras": [9.0, 12.0, 8.0]},
                 "ratio": 4.5, "ratio_without_loading": 4.25}
        for name, result in (("encode", memory), ("whole_train", whole)):
            (self.work / f"{name}.json").write_text(json.dumps(result))
        script = ROOT / "bench" / "peers" / "all.py"
        done = run(sys.executable, script, "--draw", "--results", self.work)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (self.work / "peers.md").read_text()
        self.assertIn("| encode, in memory | TensorFlow | 4,910/s | 1,716/s | 2.86 | plain, 7 rounds |", text)
        self.assertIn("| photos to a model, 3,409 files, 20 epochs | Keras | 2.00 s | 9.00 s | 4.50 | --onednn, 1 round; 4.25", text)
        plot = xml.etree.ElementTree.parse(self.work / "peers.svg").getroot()
        bars = [float(bar.get("width")) for bar in plot.iter("{http://www.w3.org/2000/svg}rect")
                if bar.get("width") != "100%"]
        self.assertEqual(len(bars), 2)
        self.assertAlmostEqual(bars[0] / bars[1], math.log(2.86) / math.log(4.5), 2)
        done = run(sys.executable, script, "--draw", "--results", self.work / "none")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("holds no results", done.stderr)

    def test_shell_scripts_parse(self):
        self.assertGreater(len(SHELL_SCRIPTS), 3)
        for script in SHELL_SCRIPTS:
            with self.subTest(script=script.name):
                self.assertTrue(os.access(script, os.X_OK))
                self.assertIn("set -euo pipefail", script.read_text())
                done = run("bash", "-n", script)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_python_scripts_parse(self):
        self.assertGreater(len(PYTHON_SCRIPTS), 5)
        for script in PYTHON_SCRIPTS:
            with self.subTest(script=script.name):
                ast.parse(script.read_text(), script)

    def test_help(self):
        for name in ("quickstart.sh", "test.sh"):
            done = run(ROOT / "tools" / name, "--help")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"tools/{name}", done.stdout)

    def test_wrong_arguments_are_one_line(self):
        for command, word in ((["quickstart.sh", "--nonsense"], "--nonsense"),
                              (["quickstart.sh", "/no/such/photos"], "/no/such/photos"),
                              (["quickstart.sh", "/", "/"], "one PHOTOS"),
                              (["quickstart.sh", "-o"], "-o"),
                              (["test.sh", "--preset", "nonsense"], "nonsense"),
                              (["lint.sh", "--nonsense"], "--nonsense"),
                              (["install_packages.sh", "nonsense"], "nonsense")):
            with self.subTest(command=command):
                done = run(ROOT / "tools" / command[0], *command[1:])
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(word, done.stderr)

    def test_fashion_mnist_takes_what_there_is(self):
        script = ROOT / "tools" / "fashion_mnist.py"
        for words in (("--items", "0"), ("--items", "70001"), ("--size", "27"), ("--items", "1x")):
            done = run(sys.executable, script, self.work / "photos", *words)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words[0], done.stderr.splitlines()[-1])
        self.assertFalse((self.work / "photos").exists())

    def test_nothing_is_installed_twice(self):
        self.stub("dpkg-query", "echo 'installed '")
        self.stub("apt-get", f"echo called >{self.work}/apt")
        done = run(ROOT / "tools" / "install_packages.sh", "build", "photos", env=self.with_stubs())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.work / "apt").exists())

    def test_missing_packages_are_installed_by_name(self):
        self.stub("dpkg-query", "case $4 in cmake) exit 1;; *) echo 'installed ';; esac")
        self.stub("apt-get", f"echo \"$DEBIAN_FRONTEND\" \"$@\" >>{self.work}/apt")
        self.stub("id", "echo 0")
        done = run(ROOT / "tools" / "install_packages.sh", "build", env=self.with_stubs())
        self.assertEqual(done.returncode, 0, done.stderr)
        update, install = (self.work / "apt").read_text().splitlines()
        self.assertIn("update", update)
        self.assertTrue(install.startswith("noninteractive"), install)
        self.assertTrue(install.endswith("--no-install-recommends cmake"), install)

    def test_sudo_is_used_by_others_than_root(self):
        self.stub("dpkg-query", "exit 1")
        self.stub("id", "echo 1000")
        self.stub("sudo", f"echo \"$@\" >>{self.work}/sudo")
        done = run(ROOT / "tools" / "install_packages.sh", "photos", env=self.with_stubs())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("apt-get", (self.work / "sudo").read_text())

    def test_a_failed_installation_is_said(self):
        self.stub("dpkg-query", "exit 1")
        self.stub("id", "echo 0")
        self.stub("apt-get", "echo no network; exit 100")
        done = run(ROOT / "tools" / "install_packages.sh", "photos", env=self.with_stubs())
        self.assertEqual(done.returncode, 1)
        self.assertIn("no network", done.stderr)
        self.assertIn("apt-get update failed", done.stderr)

    def test_the_quick_start_with_a_driver_builds_the_cuda_engine(self):
        self.stub("ldconfig", "echo 'libcuda.so.1 (libc6,x86-64) => /nowhere/libcuda.so.1'")
        self.stub("dpkg-query", "echo 'installed '")
        self.stub("nvcc", "exit 1")
        self.stub("cmake", f"echo \"$@\" >>{self.work}/cmake; [ \"$1\" != --build ]")
        done = run(ROOT / "tools" / "quickstart.sh", "--cuda", "-o", self.work / "out", env=self.with_stubs())
        self.assertEqual(done.returncode, 1)
        self.assertIn("stopped with exit code 1 at: cmake --build", done.stderr)
        configure, build = (self.work / "cmake").read_text().splitlines()
        self.assertIn("-DLOOKALIKE_CUDA_ARCHITECTURES=native", configure)
        self.assertIn("--target lookalike lookalike_cuda", build)
        self.assertFalse((self.work / "out").exists())

    def test_a_part_of_the_build_that_cannot_be_had_says_what_it_needs(self):
        for words in (["-DLOOKALIKE_PART=device", "-DLOOKALIKE_CUDA=OFF"], ["-DLOOKALIKE_PART=nonsense", "-DLOOKALIKE_CUDA=OFF"]):
            with self.subTest(words=words):
                done = run("cmake", "-S", ROOT, "-B", self.work / "build", *words)
                self.assertEqual(done.returncode, 1)
                self.assertIn("all, emulated, or device (which needs a CUDA", " ".join(done.stderr.split()))



JUNIT = """<testsuite>
<testcase name="a.One" status="run"><system-out>[==========] 1 test from 1 test suite ran. (0 ms total)</system-out></testcase>
<testcase name="a.Two" status="notrun"><skipped message=""/><system-out>x.cpp:1: Skipped
no device

[  SKIPPED ] a.Two (0 ms)</system-out></testcase>
<testcase name="whole" status="run"><system-out>[ RUN      ] B.Fast
[       OK ] B.Fast (1 ms)
x.cpp:2: Skipped
too long
[  SKIPPED ] B.Slow (0 ms)
[==========] 2 tests from 1 test suite ran. (1 ms total)</system-out></testcase>
<testcase name="smoke" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/><system-out>
K/1 ERROR OCCURRED: 'no driver'</system-out></testcase>
<testcase name="script" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>skipped: there is no compiler
</system-out></testcase>
<testcase name="cli" status="run"><system-out>test_a (t.T.test_a) ... ok
test_b (t.T.test_b)
What it is for. ... skipped 'no browser'
Ran 2 tests in 0.1s</system-out></testcase>
</testsuite>"""


class SummaryTest(unittest.TestCase):
    def summary(self, junit):
        with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
            file.write(junit)
            file.flush()
            return subprocess.run([sys.executable, ROOT / "tools" / "lib" / "test_summary.py", file.name], capture_output=True,
                                  text=True, check=False)

    def test_every_skip_is_counted_and_says_why(self):
        done = self.summary(JUNIT)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.splitlines(), [
            "skipped a.Two: no device", "skipped whole.B.Slow: too long", "skipped smoke: no driver",
            "skipped script: there is no compiler", "skipped cli.test_b: no browser", "3 passed, 0 failed, 5 skipped"])

    def test_a_program_that_died_is_a_failure(self):
        done = self.summary('<testsuite><testcase name="a" status="fail"><system-out>Segmentation fault</system-out>'
                            "</testcase></testsuite>")
        self.assertEqual((done.returncode, done.stdout), (1, "0 passed, 1 failed, 0 skipped\n"))


if __name__ == "__main__":
    unittest.main()
