"""--device on machines that lack something: a driver, a GPU that will do, the library, what the library needs.

A fake libcuda.so.1, made here, stands in for drivers; no test needs a GPU, none is run where a real one is."""

import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import shop

DRIVER = """
#include <cstdio>
#include <cstdlib>
#include <cstring>
static int of(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}
extern "C" {
int cuInit(unsigned) {
  if (const char* mark = std::getenv("FAKE_MARK")) std::fclose(std::fopen(mark, "w"));
  return of("FAKE_INIT", 0);
}
int cuDriverGetVersion(int* version) { *version = of("FAKE_VERSION", 13000); return 0; }
int cuDeviceGetCount(int* count) { *count = of("FAKE_COUNT", 1); return 0; }
int cuDeviceGet(int* device, int) { *device = 0; return 0; }
int cuDeviceGetName(char* name, int length, int) { std::strncpy(name, "Fake GPU", length); return 0; }
int cuDeviceGetAttribute(int* value, int which, int) {
  *value = which == 75 ? of("FAKE_MAJOR", 9) : 0;
  return 0;
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  *bytes = static_cast<std::size_t>(of("FAKE_MEGABYTES", 81920)) << 20;
  return 0;
}
}
"""


def compile_library(source, target, *flags):
    subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", target, *flags], input=source, text=True,
                   check=True)


def real_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
        return True
    except OSError:
        return False


@unittest.skipIf(real_driver(), "this machine has an NVIDIA driver")
class DeviceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.root = Path(cls.temporary.name)
        cls.driver = cls.root / "driver"
        cls.driver.mkdir()
        compile_library(DRIVER, cls.driver / "libcuda.so.1")

    def place(self, library=None):
        """The program in a folder of its own, with a library beside it or without."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        shutil.copy(shop.PROGRAM, folder / "lookalike")
        shutil.copy(Path(shop.PROGRAM).parent / "liblookalike_codecs.so", folder)
        if library is not None:
            shutil.copy(library, folder / "liblookalike_cuda.so")
        return folder / "lookalike"

    def doctor(self, program, driver=True, **fakes):
        environment = {**os.environ, **{f"FAKE_{name}": str(value) for name, value in fakes.items()}}
        environment.pop("LD_LIBRARY_PATH", None)
        if driver:
            environment["LD_LIBRARY_PATH"] = str(self.driver)
        done = subprocess.run([program, "doctor", "--json"], capture_output=True, env=environment, check=True,
                              text=True, timeout=60)
        facts = json.loads(done.stdout)
        cuda = facts["devices"][1]
        self.assertFalse(cuda["usable"])
        return facts["auto"], cuda["reason"]

    def test_every_command_names_the_missing_driver(self):
        photos = self.root / "photos"
        shop.make_photos(photos, 4)
        model, catalog = self.root / "model", self.root / "catalog"
        shop.train(photos, model)
        self.assertEqual(shop.run("encode", photos, "-m", model, "-o", catalog, "-q").returncode, 0)
        for words in (("train", photos, "-o", self.root / "other"),
                      ("encode", photos, "-m", model, "-o", self.root / "other"),
                      ("search", "discs/000.png", "-c", catalog),
                      ("recommend", "-c", catalog, "-o", self.root / "table.csv")):
            with self.subTest(command=words[0]):
                done = shop.run(*words, "--device", "cuda", text=True)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn("there is no NVIDIA driver (libcuda.so.1)", done.stderr)
        self.assertFalse((self.root / "other").exists())
        self.assertFalse((self.root / "table.csv").exists())
        said = shop.run("train", photos, "-o", self.root / "auto", "--epochs", "1", text=True)
        self.assertEqual(said.returncode, 0)
        self.assertIn("cpu: there is no NVIDIA driver", said.stderr)

    def test_the_driver_is_asked_first(self):
        program = self.place()
        for fakes, missing in (({"INIT": 100}, "cuInit gives error 100"),
                               ({"VERSION": 12040}, "for CUDA 12.4, 13.0 or later is needed"),
                               ({"COUNT": 0}, "knows no GPU"),
                               ({"MAJOR": 7}, "Fake GPU (compute capability 7.0, 80.0 GiB) is too old"),
                               ({"MEGABYTES": 512}, "0.5 GiB) is too small, 1.0 GiB of memory is needed")):
            with self.subTest(missing=missing):
                auto, cuda = self.doctor(program, **fakes)
                self.assertIn(missing, cuda)
                self.assertTrue(auto.startswith("cpu: "))
        auto, cuda = self.doctor(program, driver=False)
        self.assertIn("there is no NVIDIA driver", cuda)
        self.assertEqual(auto, "cpu: there is no NVIDIA driver")
        broken = self.root / "broken"
        broken.mkdir()
        compile_library("int nothing;", broken / "libcuda.so.1")
        self.driver, whole = broken, self.driver
        self.assertIn("not an NVIDIA driver", self.doctor(program)[1])
        self.driver = whole

    def test_auto_leaves_a_driver_alone_and_says_so(self):
        photos = self.root / "photos_of_auto"
        shop.make_photos(photos, 4)
        mark = self.root / "started"
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.driver), "FAKE_MARK": str(mark)}

        def train(model, *words):
            return subprocess.run([self.place(), "train", photos, "-o", self.root / model, "--epochs", "1",
                                   "--validation", "0", *words],
                                  capture_output=True, env=environment, check=False, text=True, timeout=60)

        done = train("model_of_auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cpu: an NVIDIA driver is here, but the CUDA engine has not yet run on a GPU; lookalike "
                      "doctor says whether --device cuda can be had", done.stderr)
        self.assertFalse(mark.exists())
        done = train("model_of_cuda", "--device", "cuda")
        self.assertEqual(done.returncode, 2)
        self.assertIn("this build has no CUDA engine", done.stderr)
        self.assertTrue(mark.exists())

    def test_a_library_that_is_not_there_or_not_whole_or_not_ours(self):
        self.assertIn("this build has no CUDA engine", self.doctor(self.place())[1])
        needed = self.root / "libneeded.so"
        compile_library("int needed() { return 1; }", needed)
        library = self.root / "library.so"
        compile_library("int needed(); int f() { return needed(); }", library, "-xnone", str(needed))
        needed.unlink()
        reason = self.doctor(self.place(library))[1]
        self.assertIn("libneeded.so", reason)
        self.assertIn("tools/requirements-cuda.txt", reason)
        compile_library("int nothing;", library)
        self.assertIn("of another build", self.doctor(self.place(library))[1])
        compile_library('extern "C" void* lookalike_make_cuda_device(int) { return nullptr; }', library)
        self.assertIn("of another build", self.doctor(self.place(library))[1])

    def test_the_quick_start_needs_a_driver_for_cuda(self):
        script = Path(__file__).resolve().parents[2] / "tools" / "quickstart.sh"
        done = subprocess.run([script, "--cuda"], capture_output=True, check=False, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--cuda needs an NVIDIA driver", done.stderr)

    def test_our_library_refuses_a_driver_that_it_cannot_use(self):
        library = Path(shop.PROGRAM).parent / "liblookalike_cuda.so"
        if not library.exists():
            self.skipTest("built without a CUDA toolkit")
        reason = self.doctor(shop.PROGRAM)[1]
        self.assertRegex(reason, "no CUDA device answers|cannot be loaded")


if __name__ == "__main__":
    unittest.main()
