"""`lookalike duplicates` and --collapse: groups recomputed with numpy."""

import csv
import json
import re
import tempfile
from pathlib import Path

import numpy

import shop

ROWS, NUMBERS, WITHIN = 240, 8, 0.35


def distances(codes):
    codes = codes.astype(numpy.float64)
    return numpy.sqrt(((codes[:, None] - codes[None]) ** 2).sum(axis=2))


def representatives(codes, within):
    """The first row of each row's group: links are carried on until nothing changes."""
    linked = distances(codes) <= within
    first = numpy.arange(len(codes))
    while True:
        least = numpy.array([first[links].min() for links in linked])
        if (least == first).all():
            return first
        first = least


class DuplicatesTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = Path(temporary.name)
        random = numpy.random.default_rng(7)
        centres = random.normal(size=(60, NUMBERS))
        cls.codes = (centres[random.integers(0, 60, ROWS)]
                     + random.uniform(-0.12, 0.12, size=(ROWS, NUMBERS))).astype(numpy.float32)
        cls.codes[200:220] = cls.codes[:20]  # copies
        cls.ids = [f"item {i}, \"{i}\"" for i in range(ROWS)]
        numpy.save(cls.root / "x.npy", cls.codes)
        (cls.root / "ids.txt").write_text("\n".join(cls.ids) + "\n")
        cls.catalog = cls.root / "catalog"
        done = shop.run("import-codes", cls.root / "x.npy", "--ids", cls.root / "ids.txt", "-o", cls.catalog, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def table(self, *words):
        done = shop.run(*words, "-c", self.catalog, "-q", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.reader(done.stdout.splitlines()))

    def expected(self, within):
        first, apart = representatives(self.codes, within), distances(self.codes)
        rows, number = [], 0
        for row in range(ROWS):
            members = numpy.flatnonzero(first == row)
            if len(members) < 2:
                continue
            number += 1
            rows += [(str(number), self.ids[row], self.ids[other], apart[row, other]) for other in members]
        return rows

    def test_groups_are_those_of_numpy(self):
        for within in (0, 0.2, WITHIN, 0.5, 100):
            table = self.table("duplicates", "--within", within)
            self.assertEqual(table[0], ["group", "representative", "id", "distance"])
            expected = self.expected(within)
            self.assertEqual([tuple(row[:3]) for row in table[1:]], [row[:3] for row in expected], within)
            numpy.testing.assert_allclose([float(row[3]) for row in table[1:]], [row[3] for row in expected], rtol=1e-12)
        self.assertGreater(len({row[0] for row in self.expected(WITHIN)}), 20, "groups to tell apart")

    def test_files_and_json_lines(self):
        shop.run("duplicates", "-c", self.catalog, "--within", WITHIN, "-o", self.root / "g.jsonl", "-q")
        lines = [json.loads(line) for line in (self.root / "g.jsonl").read_text().splitlines()]
        table = self.table("duplicates", "--within", WITHIN)
        self.assertEqual([[str(line["group"]), line["representative"], line["id"]] for line in lines],
                         [row[:3] for row in table[1:]])
        done = shop.run("duplicates", "-c", self.catalog, "--within", WITHIN, "-o", self.root / "g.csv", text=True)
        self.assertEqual(list(csv.reader((self.root / "g.csv").read_text().splitlines())), table)
        groups = len({line["group"] for line in lines})
        self.assertIn(f"{len(lines)} of {ROWS} items are in {groups} groups", done.stderr)
        self.assertIn(f"leaves {ROWS - len(lines) + groups}", done.stderr)

    def test_memory_counts_the_groups(self):
        least = []
        for more in ([], ["--collapse", WITHIN]):
            done = shop.run("search", self.ids[5], "-c", self.catalog, "--memory", "1M", *more, text=True)
            self.assert_fails(done, 2, "--memory is 1M")
            least.append(int(re.search(r"take (\d+)M or more", done.stderr)[1]))
        self.assertGreater(least[1], least[0])

    def collapsed(self, row, k, first, own=True):
        """Rows of the nearest of each group."""
        shown = {first[row]} if own else set()
        rows = []
        for other in numpy.argsort(distances(self.codes)[row], kind="stable"):
            if len(rows) < k and first[other] not in shown:
                shown.add(first[other])
                rows.append(other)
        return rows

    def test_recommend_and_search_show_one_of_each_group(self):
        for within in (0, WITHIN, 0.5, 100):
            first = representatives(self.codes, within)
            expected = [(self.ids[row], str(rank), self.ids[other]) for row in range(ROWS)
                        for rank, other in enumerate(self.collapsed(row, 6, first), start=1)]
            for threads in ("1", "2"):
                found = self.table("recommend", "-k", "6", "-o", "-", "--collapse", within, "--threads", threads)
                self.assertEqual([tuple(row[:3]) for row in found[1:]], expected, within)
        first = representatives(self.codes, WITHIN)
        for words, own in (([], True), (["--include-self"], False)):
            done = shop.run("search", self.ids[5], self.ids[215], "-c", self.catalog, "-k", "200", "--json", "--collapse",
                            WITHIN, *words, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            for row, line in zip((5, 215), done.stdout.splitlines()):
                self.assertEqual([n["id"] for n in json.loads(line)["neighbours"]],
                                 [self.ids[other] for other in self.collapsed(row, 200, first, own)])

    def test_a_large_group_beside_filters(self):
        rows = 300
        codes = numpy.random.default_rng(3).normal(size=(rows, NUMBERS)).astype(numpy.float32)
        codes[:250:2] = codes[0] + numpy.float32(1e-3) * codes[:250:2]
        numpy.save(self.root / "large.npy", codes)
        (self.root / "numbers.txt").write_text("".join(f"{i}\n" for i in range(rows)))
        (self.root / "labels.txt").write_text("".join(f"{i % 3}\n" for i in range(rows)))
        catalog = self.root / "large"
        shop.run("import-codes", self.root / "large.npy", "--ids", self.root / "numbers.txt", "--labels",
                 self.root / "labels.txt", "-o", catalog, "-q")
        far = [other for other in numpy.argsort(distances(codes)[4], kind="stable") if other >= 250 or other % 2]
        for words, allowed in ((("--where", "id <> '7'"), lambda other: other != 7),
                               (("--exclude-label-of-query",), lambda other: other % 3 != 4 % 3)):
            done = shop.run("search", "4", "-c", catalog, "--collapse", "0.1", "-k", "9", "--json", *words, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([int(n["id"]) for n in json.loads(done.stdout)["neighbours"]],
                             [other for other in far if allowed(other)][:9])

    def test_threads_do_not_change_it(self):
        self.assertEqual(self.table("duplicates", "--within", WITHIN, "--threads", "1"),
                         self.table("duplicates", "--within", WITHIN, "--threads", "2"))

    def test_photos_and_compact_codes(self):
        photos, model, catalog = self.root / "photos", self.root / "model", self.root / "shop"
        shop.make_photos(photos, 30)
        (photos / "twin.png").write_bytes((photos / "discs" / "004.png").read_bytes())
        shop.train(photos, model)
        shop.run("encode", photos, "-m", model, "-o", catalog, "--compact", "8", "-q")
        for kind in ("plain", "compact"):
            done = shop.run("duplicates", "-c", catalog, "--within", "0", "--codes", kind, "-q", text=True)
            self.assertEqual(done.stdout.splitlines()[1:], ["1,discs/004.png,discs/004.png,0",
                                                            "1,discs/004.png,twin.png,0"])
        page = self.root / "page.html"
        done = shop.run("report", "-c", catalog, "-o", page, "-k", "29", "--collapse", "0", "-q", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = page.read_text()
        start = text.index(">", text.index('id="data"')) + 1
        items = json.loads(text[start:text.index("</script>", start)])["items"]
        for item in items:
            shown = {items[number]["id"] for number, _ in item["near"]}
            twins = {"discs/004.png", "twin.png"}
            self.assertEqual(len(shown & twins), 0 if item["id"] in twins else 1, item["id"])
            self.assertEqual(len(shown), 29)
