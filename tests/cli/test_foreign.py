"""`lookalike import-codes` and `export`: codes of other programs in, and out again."""

import csv
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import warnings
from pathlib import Path

import numpy

import shop
from test_memory import peak_memory

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver
except ImportError:  # no wheel for every platform
    pgserver = None

ROWS, NUMBERS = 300, 24
ODD_IDS = ["a,b", 'quo"te', "tab\there", "back\\slash", "\u00fc\u4e2d", "\\N", "\\.", "'); DROP TABLE lookalike; --"]


def random_codes(rows=ROWS, numbers=NUMBERS, seed=1):
    return numpy.random.default_rng(seed).normal(size=(rows, numbers)).astype(numpy.float32)


def nearest(codes, row, k):
    """(other row, distance), nearest first, the smaller row first among equals."""
    codes = codes.astype(numpy.float64)
    distances = numpy.sqrt(((codes - codes[row]) ** 2).sum(axis=1))
    distances[row] = numpy.inf
    order = numpy.argsort(distances, kind="stable")[:k]
    return list(zip(order.tolist(), distances[order]))


class ForeignTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = Path(temporary.name)
        cls.codes = random_codes()
        cls.codes[:, 0] += numpy.repeat([0, 4, 8], ROWS // 3)
        cls.ids = ODD_IDS + [f"item {i}" for i in range(len(ODD_IDS), ROWS)]
        cls.labels = [("low", "middle", "")[i * 3 // ROWS] for i in range(ROWS)]
        cls.write("codes.npy", cls.codes)
        (cls.root / "ids.txt").write_text("\n".join(cls.ids) + "\n")
        (cls.root / "more.txt").write_text("".join(f"{i}\n" for i in range(ROWS)))
        (cls.root / "labels.txt").write_text("\n".join(cls.labels) + "\n")
        cls.catalog = cls.root / "catalog"
        done = cls.imported("codes.npy", "--labels", "labels.txt", "-o", cls.catalog)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    @classmethod
    def write(cls, name, array):
        numpy.save(cls.root / name, array)
        return cls.root / name

    @classmethod
    def imported(cls, matrix, *words, ids="ids.txt"):
        return shop.run("import-codes", matrix, "--ids", ids, *words, text=True, cwd=cls.root)

    def recommend(self, catalog, *words):
        done = shop.run("recommend", "-c", catalog, "-o", "-", "-q", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.reader(done.stdout.decode().splitlines()))[1:]

    def export(self, output, *words, catalog=None):
        done = shop.run("export", "-c", catalog or self.catalog, "-o", output, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_neighbours_are_those_of_numpy(self):
        found = self.recommend(self.catalog, "-k", "4")
        expected = [(self.ids[row], str(rank), self.ids[other], distance) for row in range(ROWS)
                    for rank, (other, distance) in enumerate(nearest(self.codes, row, 4), start=1)]
        self.assertEqual([tuple(row[:3]) for row in found], [row[:3] for row in expected])
        numpy.testing.assert_allclose([float(row[3]) for row in found], [row[3] for row in expected], rtol=1e-12)

    def test_every_type_gives_the_same_catalog(self):
        whole = numpy.round(self.codes * 8)  # that a float16 holds too
        tables = []
        for kind in ("<f2", "<f4", "<f8"):
            self.write("kind.npy", whole.astype(kind))
            catalog = self.root / f"kind_{kind[1:]}"
            self.assertEqual(self.imported("kind.npy", "-o", catalog).returncode, 0)
            tables.append({p.name: p.read_bytes() for p in (catalog / "codes").iterdir()})
            self.assertEqual(shop.run("verify", catalog).returncode, 0)
        self.assertEqual(tables[0], tables[1])
        self.assertEqual(tables[0], tables[2])

    def test_repeated_it_is_the_same_and_other_codes_are_refused(self):
        before = shop.ledger(self.catalog)
        self.assertEqual(self.imported("codes.npy", "--labels", "labels.txt", "-o", self.catalog).returncode, 0)
        self.assertEqual(shop.ledger(self.catalog), before)
        self.write("other.npy", random_codes(seed=2))
        self.assert_fails(self.imported("other.npy", "--labels", "labels.txt", "-o", self.catalog), 2,
                          "was not made with the codes given now,", "--force")
        self.assert_fails(self.imported("codes.npy", "-o", self.catalog), 2, "the labels given now")
        self.assert_fails(self.imported("codes.npy", "--labels", "labels.txt", "-o", self.catalog, ids="more.txt"), 2,
                          "the ids given now")
        self.write("wide.npy", random_codes(numbers=25))
        self.assert_fails(self.imported("wide.npy", "-o", self.catalog), 2, "the numbers of a code")

    def test_search_by_id_and_no_photo(self):
        done = shop.run("search", "item 20", "-c", self.catalog, "-k", "3", "--json", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual([n["id"] for n in result["neighbours"]],
                         [self.ids[row] for row, _ in nearest(self.codes, 20, 3)])
        shop.write_png(self.root / "photo.png", 20, 20, shop.product(1))
        self.assert_fails(shop.run("search", self.root / "photo.png", "-c", self.catalog, text=True), 2,
                          "no network belongs to it")
        self.assert_fails(shop.run("search", "item 20", "-c", self.catalog, "--picture", self.root / "a.png",
                                   text=True), 2, "no network belongs to")
        self.assert_fails(shop.run("report", "-c", self.catalog, "-o", self.root / "a.html", text=True), 2,
                          "no network belongs to")

    def test_compact_codes_of_them(self):
        catalog = self.root / "with_compact"
        shutil.copytree(self.catalog, catalog)
        self.assertEqual(shop.run("compact", "-c", catalog, "--compact", "6").returncode, 0)
        self.export(self.root / "compact.npy", "--codes", "compact", catalog=catalog)
        compact = numpy.load(self.root / "compact.npy")
        self.assertEqual(compact.shape, (ROWS, 6))
        self.assertEqual([row[2] for row in self.recommend(catalog, "--codes", "compact", "-k", "1")],
                         [self.ids[nearest(compact, row, 1)[0][0]] for row in range(ROWS)])
        self.assert_fails(shop.run("compact", "-c", catalog, "--compact", "25", text=True), 2, "take 1 to 24")
        done = shop.run("compact", "-c", catalog, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{ROWS} codes of {NUMBERS} numbers, of {NUMBERS}", done.stderr)

    def test_bad_numbers_are_named_by_row_and_id(self):
        for value, kind in ((numpy.nan, "<f4"), (numpy.inf, "<f4"), (-numpy.inf, "<f2"), (1e39, "<f8")):
            codes = self.codes.astype(kind)
            codes[123, 7] = value
            self.write("bad.npy", codes)
            out = self.root / "bad.catalog"
            self.assert_fails(self.imported("bad.npy", "-o", out), 7, "row 123", "item 123", "number 7")
            self.assertFalse(out.exists(), "a bad number costs nothing")

    def test_ids_and_labels_must_fit(self):
        lines = list(self.ids)
        for name, change, texts in (
                ("few", lines[:-1], ["299 ids", "300 rows"]), ("many", lines + ["x"], ["more than 300 ids"]),
                ("twice", lines[:-1] + [lines[4]], ["lines 5 and 300"]),
                ("empty", lines[:9] + [""] + lines[10:], ["line 10 is empty"])):
            (self.root / f"{name}.txt").write_text("\n".join(change) + "\n")
            self.assert_fails(self.imported("codes.npy", "-o", self.root / "no", ids=f"{name}.txt"), 2,
                              f"{name}.txt", *texts)
        self.assert_fails(self.imported("codes.npy", "--labels", "few.txt", "-o", self.root / "no"), 2, "299 labels")
        self.write("none.npy", random_codes(rows=0))
        self.assert_fails(self.imported("none.npy", "-o", self.root / "no"), 3, "no row")
        self.write("deep.npy", random_codes().reshape(-1, 4, 6))
        self.assert_fails(self.imported("deep.npy", "-o", self.root / "no"), 2, "reshape")
        self.write("turned.npy", numpy.asfortranarray(random_codes()))
        self.assert_fails(self.imported("turned.npy", "-o", self.root / "no"), 2, "ascontiguousarray")
        self.write("whole.npy", numpy.zeros((ROWS, 3), dtype=numpy.int32))
        self.assert_fails(self.imported("whole.npy", "-o", self.root / "no"), 2, "astype")
        self.assertFalse((self.root / "no").exists())

    @unittest.skipIf(os.environ.get("LOOKALIKE_SANITIZE"), "a sanitizer keeps what is freed")
    def test_memory_does_not_grow_with_the_matrix(self):
        peaks = {}
        for rows in (500, 20000):  # 4 and 164 MB, and half of that as float32
            matrix, ids, catalog = (self.root / f"{rows}.{name}" for name in ("npy", "txt", "catalog"))
            numpy.save(matrix, random_codes(rows, 1024).astype("<f8"))
            ids.write_text("".join(f"row {i}\n" for i in range(rows)))
            peaks[rows] = [peak_memory("import-codes", matrix, "--ids", ids, "-o", catalog, "-q"),
                           peak_memory("export", "-c", catalog, "-o", self.root / "large.npy", "-q")]
        for small, large in zip(peaks[500], peaks[20000]):
            # Ids, and the ledger's part of each row of a shard: well below 1 KB a row.
            self.assertLess(large - small, 20e6, peaks)

    def test_pieces_and_shards_follow_each_other(self):
        """A shard is 131,072 rows at most: two and a piece, the second of them cut off in a first run."""
        rows = 2 * 131072 + 3
        codes = (numpy.arange(rows, dtype=numpy.int64) * 7919 % 4001 / 8).astype(numpy.float16).reshape(-1, 1)
        self.write("long.npy", codes)
        (self.root / "long.txt").write_text("".join(f"row {i}\n" for i in range(rows)))
        words = ["import-codes", "long.npy", "--ids", "long.txt", "-o", "long", "-q"]
        with subprocess.Popen([shop.PROGRAM, *words], cwd=self.root) as child:
            while child.poll() is None and not (self.root / "long" / "codes" / "codes_00000.npy").exists():
                time.sleep(0.001)
            child.kill()
        shards = sorted(p.name for p in (self.root / "long" / "codes").glob("codes_*.npy"))
        self.assertLess(len(shards), 3, "it was done before it was killed")
        done = shop.run(*words, cwd=self.root, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        recorded = shop.query(self.root / "long", "SELECT rows FROM shards ORDER BY shard")
        self.assertEqual(recorded, [(131072,), (131072,), (3,)])
        self.assertEqual(shop.run("verify", self.root / "long").returncode, 0)
        done = self.export("-", "--format", "csv", catalog=self.root / "long")
        table = [line.split(",") for line in done.stdout.decode().splitlines()[1:]]
        self.assertEqual([row[0] for row in table], [f"row {i}" for i in range(rows)])
        self.assertEqual(numpy.array([row[2] for row in table], dtype=numpy.float32).tolist(),
                         codes[:, 0].astype(numpy.float32).tolist())

    def test_a_large_catalog_without_sketches_says_so(self):
        for rows, says in ((8191, False), (8192, True)):
            self.write("large.npy", random_codes(rows=rows, numbers=2))
            (self.root / "large.txt").write_text("".join(f"{i}\n" for i in range(rows)))
            catalog = self.root / f"large_{rows}"
            self.assertEqual(self.imported("large.npy", "-o", catalog, ids="large.txt").returncode, 0)
            for words in (("search", "0"), ("recommend", "-o", self.root / "large.csv", "-k", "1")):
                done = shop.run(*words, "-c", catalog, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(f"lookalike index -c {catalog} makes sketches" in done.stderr, says, done.stderr)
        self.assertEqual(shop.run("index", "-c", catalog).returncode, 0)
        self.assertNotIn("warning", shop.run("search", "0", "-c", catalog, text=True).stderr)

    def test_progress_counts_codes(self):
        done = shop.run("recommend", "-c", self.catalog, "-o", self.root / "progress.csv", "--progress", "json", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        told = [line for line in lines if "total" in line]
        self.assertTrue(told)
        for line in told:
            self.assertIn("codes_per_second", line)
            self.assertNotIn("images_per_second", line)

    def test_windows_line_ends(self):
        (self.root / "dos.txt").write_bytes("\r\n".join(self.ids).encode() + b"\r\n")
        self.assertEqual(self.imported("codes.npy", "-o", self.root / "dos", ids="dos.txt").returncode, 0)
        self.assertEqual([row[0] for row in self.recommend(self.root / "dos", "-k", "1")], self.ids)

    def test_export_and_import_give_the_codes_back(self):
        self.export(self.root / "back.npy", "--ids", self.root / "back.txt")
        self.assertEqual(numpy.load(self.root / "back.npy").tobytes(), self.codes.tobytes())
        self.assertEqual((self.root / "back.txt").read_text(), (self.root / "ids.txt").read_text())
        self.assertEqual(self.imported("back.npy", "-o", self.root / "again", ids="back.txt").returncode, 0)
        self.assertEqual(self.recommend(self.root / "again"), self.recommend(self.catalog))

    def test_fvecs_and_csv(self):
        self.export(self.root / "codes.fvecs")
        raw = numpy.fromfile(self.root / "codes.fvecs", dtype="<i4").reshape(ROWS, NUMBERS + 1)
        self.assertTrue((raw[:, 0] == NUMBERS).all())
        self.assertEqual(raw[:, 1:].copy().view("<f4").tobytes(), self.codes.tobytes())
        done = self.export("-", "--format", "csv")
        table = list(csv.reader(done.stdout.decode().splitlines()))
        self.assertEqual(table[0], ["id", "label", *map(str, range(NUMBERS))])
        self.assertEqual([row[0] for row in table[1:]], self.ids)
        self.assertEqual([row[1] for row in table[1:]], self.labels)
        self.assertEqual(numpy.array([row[2:] for row in table[1:]], dtype="<f4").tobytes(), self.codes.tobytes())

    def test_a_pipe_gets_what_a_file_gets(self):
        for name in ("npy", "fvecs", "csv", "pgvector"):
            ending = {"pgvector": "sql"}.get(name, name)
            self.export(self.root / f"file.{ending}")
            self.assertEqual(self.export("-", "--format", name).stdout, (self.root / f"file.{ending}").read_bytes())
        with subprocess.Popen([shop.PROGRAM, "export", "-c", self.catalog, "-o", "-", "--format", "csv"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            child.stdout.close()
            error = child.stderr.read()
            self.assertIn(child.wait(20), (5, 128 + signal.SIGPIPE, -signal.SIGPIPE), error)

    def test_a_terminal_gets_text_alone(self):
        for name in ("npy", "fvecs", "csv", "pgvector"):
            terminal, end = pty.openpty()
            with subprocess.Popen([shop.PROGRAM, "export", "-c", self.catalog, "-o", "-", "--format", name],
                                  stdout=end, stderr=subprocess.PIPE, text=True) as child:
                os.close(end)
                shown = b""
                try:
                    while some := os.read(terminal, 1 << 16):
                        shown += some
                except OSError:  # the other end is closed
                    pass
                error = child.stderr.read()
            os.close(terminal)
            with self.subTest(name):
                if name in ("csv", "pgvector"):
                    self.assertEqual(child.returncode, 0, error)
                    self.assertIn(b"item 20", shown)
                else:
                    self.assertEqual((child.returncode, shown), (2, b""), error)
                    self.assertIn("-o FILE", error)

    def test_an_output_that_fails_is_as_it_was(self):
        kept = self.root / "kept.npy"
        kept.write_bytes(b"before")
        done = shop.run("export", "-c", self.catalog, "-o", kept, "--codes", "compact", text=True)
        self.assert_fails(done, 2, "no compact codes")
        self.assertEqual(kept.read_bytes(), b"before")
        # One that fails when both files are open.
        (self.root / "one.txt").write_text("a\n")
        self.write("wider.npy", random_codes(rows=1, numbers=16001))
        wide = self.root / "wider"
        self.assertEqual(self.imported("wider.npy", "-o", wide, ids="one.txt").returncode, 0)
        sql, ids = self.root / "kept.sql", self.root / "kept.txt"
        for path in (sql, ids):
            path.write_bytes(b"before")
        self.assert_fails(shop.run("export", "-c", wide, "-o", sql, "--ids", ids, text=True), 2, "16001")
        self.assert_fails(shop.run("export", "-c", wide, "-o", "no/x.npy", "--ids", ids, cwd=self.root, text=True), 5,
                          "no/x.npy")
        self.assertEqual((sql.read_bytes(), ids.read_bytes()), (b"before", b"before"))
        self.assert_fails(shop.run("export", "-c", wide, "-o", ids, "--ids", ids, "--format", "npy", text=True), 2,
                          "--ids")
        for table in ("x\nDROP TABLE y;--", "x\x7f"):
            self.assert_fails(shop.run("export", "-c", self.catalog, "-o", sql, "--table", table, text=True), 2, "--table")
        self.assert_fails(shop.run("export", "-c", self.catalog, "-o", "codes.xyz", text=True), 2, ".fvecs")
        self.assert_fails(shop.run("export", "-c", self.catalog, "-o", "-", text=True), 2, "--format")

    def test_columns_wider_than_pgvector_takes(self):
        (self.root / "two.txt").write_text("a\nb\n")
        for numbers in (16000, 16001):
            self.write("wide.npy", random_codes(rows=2, numbers=numbers))
            catalog = self.root / f"wide_{numbers}"
            self.assertEqual(self.imported("wide.npy", "-o", catalog, ids="two.txt").returncode, 0)
            done = shop.run("export", "-c", catalog, "-o", self.root / "wide.sql", text=True)
            if numbers > 16000:
                self.assert_fails(done, 2, "16001", "16000", "compact")
            else:
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("no index of more than 2,000", done.stderr)
                self.assertNotIn("CREATE INDEX", (self.root / "wide.sql").read_text())

    @unittest.skipIf(pgserver is None, "needs pgserver, which has no wheel for this platform")
    def test_a_postgresql_server_finds_the_same_neighbours(self):
        self.export(self.root / "shop.sql")
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = pgserver.get_server(folder, cleanup_mode="delete")
            try:
                server.psql((self.root / "shop.sql").read_text())
                ours = {}
                for row in self.recommend(self.catalog, "-k", "5"):
                    ours.setdefault(row[0], []).append((row[2], float(row[3])))
                # Ids go through JSON: a table's text would show some of them in two lines.
                text = server.psql(
                    "SELECT json_agg(json_build_array(a.id, a.label, (SELECT json_agg(json_build_array(n.id, n.d)) "
                    "FROM (SELECT b.id, a.code <-> b.code AS d FROM lookalike b WHERE b.id <> a.id "
                    "ORDER BY d, b.position LIMIT 5) n)) ORDER BY a.position)::text FROM lookalike a;")
            finally:
                server.cleanup()
        found = json.loads(re.search(r"\[\[.*\]\]", text, re.DOTALL).group().replace("+\n", "\n"))
        self.assertEqual([row[0] for row in found], self.ids)
        self.assertEqual([row[1] for row in found], self.labels)
        for item, _, neighbours in found:
            self.assertEqual([n[0] for n in neighbours], [n[0] for n in ours[item]])
            # pgvector sums in float32.
            numpy.testing.assert_allclose([n[1] for n in neighbours], [n[1] for n in ours[item]], rtol=1e-5)


if __name__ == "__main__":
    unittest.main()
