"""`lookalike compact`, `encode --compact` and `--codes compact` as a user meets them."""

import csv
import io
import json
import shutil
import sqlite3

import numpy
import safetensors.numpy

import shop

PHOTOS, NUMBERS = 40, 12


def codes_of(catalog):
    return numpy.concatenate([numpy.load(p) for p in sorted((catalog / "codes").glob("*.npy"))])


def compact_codes(catalog):
    [path] = (catalog / "compact").glob("codes_*.npy")
    return numpy.load(path)


def ids_of(catalog):
    with sqlite3.connect(catalog / "catalog.sqlite") as ledger:
        return [row[0] for row in ledger.execute('SELECT id FROM items ORDER BY shard, "row"')]


def files(folder):
    return {p.name: p.read_bytes() for p in (folder / "compact").iterdir()}


class CompactTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.open_shop(PHOTOS)
        shop.train(cls.photos, cls.model)
        for name, words in (("catalog", ["--compact", NUMBERS]), ("bare", [])):
            done = shop.run("encode", cls.photos, "-m", cls.model, "-o", cls.root / name, "--shard-rows", "7", "-q",
                            *words, text=True)
            if done.returncode != 0:
                raise AssertionError(done.stderr)

    def make(self, name, *words):
        """A copy of the catalog without compact codes, and `lookalike compact` on it."""
        catalog = self.root / name
        shutil.copytree(self.root / "bare", catalog)
        return catalog, shop.run("compact", "-c", catalog, *words, text=True)

    def test_codes_are_what_numpy_makes_of_the_projection(self):
        projection = safetensors.numpy.load_file(self.catalog / "compact" / "projection.safetensors")
        codes = codes_of(self.catalog).astype(numpy.float64)
        mean = projection["mean"].astype(numpy.float64) + projection["mean_low"]
        numpy.testing.assert_allclose(mean, codes.mean(axis=0), rtol=1e-13, atol=1e-15)
        along = (codes - mean) @ projection["directions"].T.astype(numpy.float64)
        numpy.testing.assert_allclose(projection["deviations"], along.std(axis=0), rtol=1e-6)
        white = along / projection["deviations"]
        expected = white / numpy.linalg.norm(white, axis=1, keepdims=True)
        # Half a unit in the last place of a float below 1.
        numpy.testing.assert_allclose(compact_codes(self.catalog), expected, rtol=0, atol=2.0**-25 * 1.01)

    def test_directions_are_the_principal_ones(self):
        projection = safetensors.numpy.load_file(self.catalog / "compact" / "projection.safetensors")
        codes = codes_of(self.catalog).astype(numpy.float64)
        deviations = numpy.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)[:NUMBERS] / PHOTOS**0.5
        numpy.testing.assert_allclose(projection["deviations"], deviations, rtol=1e-4)

    def test_encode_makes_what_compact_makes_for_any_threads(self):
        for threads in ("1", "2"):
            catalog, done = self.make(f"made_{threads}", "--compact", NUMBERS, "--threads", threads)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertIn("--codes compact", done.stderr)
            self.assertEqual(files(catalog), files(self.catalog))

    def test_encode_says_them_last_and_one_next_step(self):
        out = self.root / "said"
        words = ["encode", self.photos, "-m", self.model, "-o", out, "--force"]
        said = shop.run(*words, "--compact", NUMBERS, text=True).stderr.splitlines()
        [photos] = [i for i, line in enumerate(said) if "photos listed" in line]
        [compact] = [i for i, line in enumerate(said) if f"compact: {PHOTOS} codes of {NUMBERS} numbers" in line]
        self.assertLess(photos, compact)
        [after] = [i for i, line in enumerate(said) if line.startswith("next: ")]
        self.assertIn("--codes compact", said[after])
        self.assertEqual(after, len(said) - 1)
        taken = shop.run(*words, text=True).stderr
        self.assertIn("warning: --force took the compact codes away, lookalike compact -c", taken)
        self.assertEqual(list((out / "compact").iterdir()), [])
        self.assertNotIn("warning", shop.run(*words, text=True).stderr)

    def test_encode_repeated_leaves_them(self):
        before = files(self.catalog)
        times = {p: p.stat().st_mtime_ns for p in (self.catalog / "compact").iterdir()}
        for words in (["--compact", NUMBERS], []):
            done = shop.run("encode", self.photos, "-m", self.model, "-o", self.catalog, "--shard-rows", "7", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(files(self.catalog), before)
        self.assertEqual({p: p.stat().st_mtime_ns for p in times}, times)

    def test_recommend_compares_them(self):
        done = shop.run("recommend", "-c", self.catalog, "--codes", "compact", "-k", "5", "-o", "-", "-q", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        codes, ids = compact_codes(self.catalog).astype(numpy.float64), ids_of(self.catalog)
        expected = []
        for row, code in enumerate(codes):
            distances = numpy.sqrt(((codes - code) ** 2).sum(axis=1))
            distances[row] = numpy.inf
            for rank, other in enumerate(numpy.argsort(distances, kind="stable")[:5], start=1):
                expected.append((ids[row], str(rank), ids[other], distances[other]))
        found = list(csv.reader(io.StringIO(done.stdout)))[1:]
        self.assertEqual([tuple(row[:3]) for row in found], [row[:3] for row in expected])
        numpy.testing.assert_allclose([float(row[3]) for row in found], [row[3] for row in expected], rtol=1e-12)

    def test_a_photo_goes_through_the_same_projection(self):
        outside = self.root / "outside.png"
        shutil.copy(self.photos / "stripes" / "009.png", outside)
        picture = self.root / "found.png"
        done = shop.run("search", outside, "stripes/009.png", "-c", self.catalog, "--codes", "compact", "--json",
                        "--include-self", "--picture", picture, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        first, second = (json.loads(line)["neighbours"] for line in done.stdout.splitlines())
        self.assertEqual((first[0]["id"], first[0]["distance"]), ("stripes/009.png", 0))
        self.assertEqual(first, second)
        self.assertTrue(picture.read_bytes().startswith(b"\x89PNG"))
        page = self.root / "page.html"
        done = shop.run("report", "-c", self.catalog, "--codes", "compact", "-o", page, "-q", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"compact, {NUMBERS} numbers", page.read_text())

    def test_verify_reads_them(self):
        done = shop.run("verify", self.catalog, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{PHOTOS} rows of {NUMBERS} numbers, checksums ok", done.stdout.splitlines()[-1])
        for pattern in ("codes_*.npy", "projection.safetensors"):
            broken = self.root / f"broken_{pattern[:5]}"
            shutil.copytree(self.catalog, broken)
            [path] = (broken / "compact").glob(pattern)
            data = bytearray(path.read_bytes())
            data[-3] ^= 1
            path.write_bytes(data)
            self.assert_fails(shop.run("verify", broken, text=True), 6, path.name)

    def test_those_of_other_codes_are_refused(self):
        stale = self.root / "stale"
        done = shop.run("encode", self.photos / "discs", "-m", self.model, "-o", stale, "-q", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        shutil.copytree(self.catalog / "compact", stale / "compact")
        for words in (["recommend", "-o", "-"], ["search", "000.png"], ["report", "-o", self.root / "no.html"]):
            done = shop.run(*words, "-c", stale, "--codes", "compact", text=True)
            self.assert_fails(done, 2, "lookalike compact -c")
        self.assertEqual(shop.run("verify", stale).returncode, 0)

    def test_more_numbers_than_the_photos_vary_in(self):
        catalog, done = self.make("many", "--compact", "60")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("of them are zero", done.stderr)
        codes = compact_codes(catalog)
        self.assertEqual(codes.shape, (PHOTOS, 60))
        self.assertTrue((codes[:, PHOTOS - 1:] == 0).all(), "40 photos span 39 directions about their mean")
        numpy.testing.assert_allclose(numpy.linalg.norm(codes, axis=1), 1, rtol=1e-6)
