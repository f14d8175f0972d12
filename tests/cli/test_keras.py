"""Model files through Python's own safetensors and h5py, and Keras's files to ours, with tools/keras.py.

Needs tools/requirements-test.txt, not TensorFlow; Keras's own files lie in data/.
"""

import io
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / "tools"
PROGRAM = os.environ.get("LOOKALIKE", "")

sys.path.insert(0, str(TOOLS / "lib"))
MISSING = ""
try:
    import h5py
    import numpy as np
    import safetensors.numpy

    import keras_file
    import model_file
except ImportError as error:
    MISSING = f"{error}: install tools/requirements-test.txt"


def setUpModule():
    if MISSING:
        raise unittest.SkipTest(MISSING)


def write_png(path, pixels):
    """pixels (H, W, 3), red green blue bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) +
                     chunk(b"IEND", b""))


def convert(*arguments):
    return subprocess.run([sys.executable, TOOLS / "keras.py", *map(str, arguments)], capture_output=True,
                          text=True, check=False)


class KerasFiles(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work)
        self.expected, _ = model_file.read_model(HERE / "data" / "expected.safetensors")

    def assert_equal(self, tensors, expected=None):
        expected = expected or self.expected
        self.assertEqual(set(tensors), set(expected))
        for name, tensor in tensors.items():
            self.assertEqual(tensor.dtype, np.float32, name)
            self.assertTrue(np.array_equal(tensor, expected[name]), name)

    def imported(self, source, *options):
        done = convert("import", source, "-o", self.work / "model", "--force", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return model_file.read_model(self.work / "model")

    def keras_file(self, change=None):
        """Keras's own .weights.h5, changed."""
        path = self.work / "keras.weights.h5"
        with zipfile.ZipFile(HERE / "data" / "whole.keras") as archive:
            path.write_bytes(archive.read("model.weights.h5"))
        if change:
            with h5py.File(path, "r+") as file:
                change(file)
        return path

    def refused(self, source, *words):
        done = convert("import", source, "-o", self.work / "refused", "--channel-order", "bgr")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertFalse((self.work / "refused").exists())

    def test_keras_layouts_are_imported(self):
        for source in (self.keras_file(), HERE / "data" / "whole.keras", HERE / "data" / "whole.h5"):
            with self.subTest(source=source.name):
                tensors, metadata = self.imported(source, "--channel-order", "bgr", "--fit", "pad")
                self.assert_equal(tensors)
                self.assertEqual(metadata["photo_rule"], "pad #ffffff")
                self.assertEqual(metadata["channel_order"], "BGR")

    def test_rgb_becomes_bgr(self):
        tensors, metadata = self.imported(HERE / "data" / "whole.keras", "--channel-order", "rgb")
        self.assertEqual(metadata["channel_order"], "BGR")
        expected = dict(self.expected)
        for name, axis in (("enc1.kernel", 2), ("dec4.kernel", 3), ("dec4.bias", 0)):
            expected[name] = np.flip(self.expected[name], axis)
            self.assertFalse(np.array_equal(expected[name], self.expected[name]))
        self.assert_equal(tensors, expected)

    def test_export_and_back(self):
        for order in ("bgr", "rgb"):
            for name in ("out.weights.h5", "out.h5"):
                with self.subTest(name=name, order=order):
                    path = self.work / name
                    done = convert("export", HERE / "data" / "expected.safetensors", path, "--channel-order", order)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assert_equal(self.imported(path, "--channel-order", order)[0])

    def test_export_has_the_datasets_of_keras(self):
        path = self.work / "out.weights.h5"
        keras_file.write_keras(path, self.expected)
        with h5py.File(path) as ours, h5py.File(self.keras_file()) as theirs:
            datasets = []
            theirs["layers"].visititems(lambda name, item: datasets.append(name)
                                        if isinstance(item, h5py.Dataset) else None)
            self.assertEqual(len(datasets), 14)
            for name in datasets:
                self.assertTrue(np.array_equal(ours["layers"][name], theirs["layers"][name]), name)

    def test_safetensors_reads_what_we_write(self):
        path = self.work / "model.safetensors"
        model_file.write_model(path, self.expected, "crop #102030", {"epoch": "3"})
        self.assert_equal(safetensors.numpy.load_file(path))
        contents = path.read_bytes()
        length = int.from_bytes(contents[:8], "little")
        self.assertEqual(json.loads(contents[8:8 + length])["__metadata__"]["epoch"], "3")

    def test_wrong_networks_are_refused(self):
        def another_shape(file):
            del file["layers/conv2d_5/vars/0"]
            file["layers/conv2d_5/vars/0"] = np.zeros((3, 3, 8, 15), np.float32)

        def one_less(file):
            del file["layers/conv2d_6"]

        def not_finite(file):
            file["layers/conv2d_3/vars/1"][2] = np.nan

        self.refused(self.keras_file(another_shape), "dec3.kernel", "(3, 3, 8, 15)", "(3, 3, 8, 16)")
        self.refused(self.keras_file(one_less), "12 kernels and biases in place of 14")
        self.refused(self.keras_file(not_finite), "dec1.bias", "not finite")

    def test_damaged_files_are_refused(self):
        whole = self.keras_file().read_bytes()
        damaged = self.work / "damaged.h5"
        for contents in (b"", b"PK\x03\x04", whole[:len(whole) // 2]):
            damaged.write_bytes(contents)
            self.refused(damaged, "not a Keras weights file")
        self.refused(self.work / "absent.h5", "not a Keras weights file")
        empty_zip = io.BytesIO()
        zipfile.ZipFile(empty_zip, "w").close()
        damaged.write_bytes(empty_zip.getvalue())
        self.refused(damaged, "model.weights.h5")

    def test_an_existing_model_is_kept(self):
        self.imported(HERE / "data" / "whole.keras", "--channel-order", "bgr")
        before = (self.work / "model" / "model.safetensors").read_bytes()
        done = convert("import", HERE / "data" / "whole.h5", "-o", self.work / "model", "--channel-order", "rgb")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--force", done.stderr)
        self.assertEqual((self.work / "model" / "model.safetensors").read_bytes(), before)


@unittest.skipUnless(PROGRAM, "LOOKALIKE does not name the program")
class WithTheProgram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.work)
        photos = cls.work / "photos"
        photos.mkdir()
        generator = np.random.default_rng(3)
        for number in range(8):
            blocks = generator.integers(0, 256, (5, 5, 3), np.uint8)
            write_png(photos / f"{number}.png", np.kron(blocks, np.ones((30, 30, 1), np.uint8)))
        cls.run_program("train", photos, "-o", cls.work / "trained", "--epochs", "1", "--batch-size", "4")

    @classmethod
    def run_program(cls, *arguments):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{arguments}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def test_trained_model_opens_in_safetensors(self):
        tensors = safetensors.numpy.load_file(self.work / "trained" / "model.safetensors")
        self.assertEqual({name: tensor.shape for name, tensor in tensors.items()}, model_file.SHAPES)
        _, metadata = model_file.read_model(self.work / "trained")  # checks the checksum too
        self.assertIn("checksum", metadata)

    def test_through_keras_files_and_back(self):
        trained, metadata = model_file.read_model(self.work / "trained")
        fit, background = metadata["photo_rule"].split()
        codes = self.encode("trained")
        for name in ("back.weights.h5", "back.h5"):
            with self.subTest(name=name):
                model = name.replace(".", "_")
                for arguments in (("export", self.work / "trained", self.work / name),
                                  ("import", self.work / name, "-o", self.work / model, "--channel-order", "bgr",
                                   "--fit", fit, "--background", background)):
                    done = convert(*arguments)
                    self.assertEqual(done.returncode, 0, done.stderr)
                self.run_program("verify", self.work / model)
                back, _ = model_file.read_model(self.work / model)
                for tensor in trained:
                    self.assertTrue(np.array_equal(back[tensor], trained[tensor]), tensor)
                self.assertEqual(self.encode(model), codes)

    def encode(self, model):
        """The bytes of the codes that the program makes with a model."""
        self.run_program("encode", self.work / "photos", "-m", self.work / model, "-o", self.work / f"{model}_codes")
        shards = sorted((self.work / f"{model}_codes" / "codes").glob("*.npy"))
        self.assertEqual(np.concatenate([np.load(shard) for shard in shards]).shape, (8, 2888))
        return [shard.read_bytes() for shard in shards]

    def test_the_program_refuses_a_changed_weight(self):
        changed = self.work / "changed.safetensors"
        contents = bytearray((self.work / "trained" / "model.safetensors").read_bytes())
        contents[-1] ^= 1
        changed.write_bytes(contents)
        done = subprocess.run([PROGRAM, "verify", changed], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 6, done.stderr)
        with self.assertRaisesRegex(model_file.Refused, "checksum"):
            model_file.read_model(changed)


if __name__ == "__main__":
    unittest.main()
