"""`lookalike evaluate`: measures recomputed with numpy, and the counts that go with them."""

import io
import json
import shutil
import sqlite3

import numpy
from PIL import Image

import shop
from test_compact import codes_of, compact_codes

PHOTOS = 48
ROUNDED = 0.5e-6 + 1e-12  # of six digits, and of the arithmetic before


def measures(vectors, labels):
    """{precision_at_1, ...} by the definitions: unlabelled rows are left out before."""
    vectors, labels = numpy.asarray(vectors, dtype=numpy.float64), numpy.asarray(labels)
    found = {"precision_at_1": [], "precision_at_5": [], "precision_at_10": [], "average_precision": []}
    for row in range(len(labels)):
        relevant_in_all = (labels == labels[row]).sum() - 1
        if relevant_in_all == 0:
            continue
        distances = ((vectors - vectors[row]) ** 2).sum(axis=1)
        order = [other for other in numpy.argsort(distances, kind="stable") if other != row]
        relevant = labels[order] == labels[row]
        for k in (1, 5, 10):
            found[f"precision_at_{k}"].append(relevant[:k].mean())
        ranks = numpy.flatnonzero(relevant) + 1
        found["average_precision"].append((numpy.arange(1, len(ranks) + 1) / ranks).mean())
    return {name: float(numpy.mean(values)) for name, values in found.items()} | {
        "queries": len(found["average_precision"])}


class EvaluateTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.open_shop(PHOTOS)
        # One without a label, one alone under its own.
        shop.write_png(cls.photos / "loose.png", 40, 40, shop.product(91))
        (cls.photos / "alone").mkdir()
        shop.write_png(cls.photos / "alone" / "one.png", 40, 40, shop.product(92))
        shop.train(cls.photos, cls.model)
        done = shop.run("encode", cls.photos, "-m", cls.model, "-o", cls.catalog, "--label", "parent", "--compact", "9",
                        "-q", text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        with sqlite3.connect(cls.catalog / "catalog.sqlite") as ledger:
            cls.labels = [row[0] for row in ledger.execute('SELECT label FROM items ORDER BY shard, "row"')]

    def evaluate(self, catalog, *words):
        done = shop.run("evaluate", "-c", catalog, "--json", *words, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done.stderr

    def assert_measures(self, found, expected, within=ROUNDED):
        self.assertEqual(found["queries"], expected["queries"])
        for name, value in expected.items():
            self.assertLessEqual(abs(found[name] - value), within, f"{found['name']}: {name}")

    def named(self, result):
        return {one["name"]: one for one in result["codes"]}

    def kept(self, vectors):
        rows = [row for row, label in enumerate(self.labels) if label]
        return numpy.asarray(vectors)[rows], [self.labels[row] for row in rows]

    def test_codes_are_judged_as_numpy_judges_them(self):
        result, said = self.evaluate(self.catalog)
        self.assertEqual((result["items"], result["unlabelled"], result["judged"], result["alone"]),
                         (PHOTOS + 2, 1, PHOTOS + 1, 1))
        self.assertIn("without a label: 1\n", said)
        self.assertIn("no queries: 1\n", said)
        codes = self.named(result)
        self.assertEqual(list(codes), ["plain codes", "compact codes", "untrained encoder", "shrunken pixels",
                                       "mean colour", "chance"])
        self.assertEqual([codes[name]["numbers"] for name in codes], [2888, 9, 2888, 972, 3, 0])
        self.assert_measures(codes["plain codes"], measures(*self.kept(codes_of(self.catalog))))
        self.assert_measures(codes["compact codes"], measures(*self.kept(compact_codes(self.catalog))))

    def test_labels_make_up_the_whole(self):
        result, _ = self.evaluate(self.catalog)
        for one in result["codes"][:-1]:
            self.assertEqual({label["label"] for label in one["labels"]}, {"discs", "stripes"})
            for name in ("precision_at_5", "average_precision"):
                whole = sum(label["queries"] * label[name] for label in one["labels"]) / one["queries"]
                self.assertLessEqual(abs(whole - one[name]), 2 * ROUNDED)
                self.assertEqual(one[name], round(one[name], 6))

    def test_pixels_are_those_of_the_pictures(self):
        with sqlite3.connect(self.catalog / "thumbs.sqlite") as thumbs:
            pictures = [numpy.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), dtype=numpy.float64)
                        for (jpeg,) in thumbs.execute('SELECT jpeg FROM thumbs ORDER BY shard, "row"')]
        # Averages over areas: each of 18 cells is 8 1/3 pixels, 25 thirds of pixels.
        thirds = [picture.repeat(3, axis=0).repeat(3, axis=1) for picture in pictures]
        shrunken = [third.reshape(18, 25, 18, 25, 3).mean(axis=(1, 3)).ravel() for third in thirds]
        colours = [picture.mean(axis=(0, 1)) for picture in pictures]
        codes = self.named(self.evaluate(self.catalog)[0])
        # Decoders of JPEG may differ in a last bit, which can exchange two neighbours of some queries.
        self.assert_measures(codes["shrunken pixels"], measures(*self.kept(shrunken)), within=0.02)
        self.assert_measures(codes["mean colour"], measures(*self.kept(colours)), within=0.02)

    def test_the_untrained_encoder_is_the_training_before_its_first_step(self):
        model, catalog = self.root / "untrained", self.root / "untrained.catalog"
        shop.run("train", self.photos, "-o", model, "--epochs", "1", "--batch-size", "16", "--learning-rate", "1e-30", "-q")
        shop.run("encode", self.photos, "-m", model, "-o", catalog, "-q")
        found = self.named(self.evaluate(self.catalog)[0])["untrained encoder"]
        expected = self.named(self.evaluate(catalog)[0])["plain codes"]
        # It sees the pictures as JPEG keeps them.
        self.assert_measures(found, {name: expected[name] for name in ("queries", "precision_at_5",
                                                                       "average_precision")}, within=0.05)

    def test_the_table(self):
        done = shop.run("evaluate", "-c", self.catalog, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"precision of neighbours +numbers +@1 +@5 +@10 +mAP$")
        self.assertRegex(lines[1], r"^  plain codes +2,888( +[01]\.\d{3}){4}$")
        self.assertRegex(lines[6], r"^  chance {12,}( +[01]\.\d{3}){4}$")
        better = max(lines[1:3], key=lambda line: float(line.split()[-1]))[:15].strip()
        self.assertRegex(lines[8], rf"by label, {better} +items")
        self.assertEqual({line.split()[0] for line in lines[9:]}, {"discs", "stripes"})

    def test_threads_do_not_change_it(self):
        self.assertEqual(self.evaluate(self.catalog, "--threads", "1")[0], self.evaluate(self.catalog, "--threads", "2")[0])

    def test_a_sample_is_said_to_be_one(self):
        result, said = self.evaluate(self.catalog, "--items", "20")
        self.assertEqual(result["judged"], 20)
        self.assertIn("a sample: 20 of 49", said)
        rows = [row for row, label in enumerate(self.labels) if label]
        rows = [rows[i * 49 // 20] for i in range(20)]
        self.assert_measures(result["codes"][0], measures(codes_of(self.catalog)[rows], [self.labels[r] for r in rows]))

    def test_without_compact_codes_or_pictures(self):
        bare = self.root / "bare"
        shop.run("encode", self.photos, "-m", self.model, "-o", bare, "-q")
        (bare / "thumbs.sqlite").unlink()
        result, said = self.evaluate(bare)
        self.assertEqual(list(self.named(result)), ["plain codes", "chance"])
        self.assertIn("lookalike compact -c", said)
        self.assertIn("lacks pictures", said)

    def test_imported_codes(self):
        codes = numpy.random.default_rng(3).normal(size=(90, 5))
        labels = [("a", "b", "", "c")[i % 4] for i in range(89)] + ["last"]
        codes[:, 0] += [ord((label or "z")[0]) / 4 for label in labels]
        numpy.save(self.root / "x.npy", codes)
        (self.root / "x.txt").write_text("".join(f"{i}\n" for i in range(90)))
        (self.root / "y.txt").write_text("".join(f"{label}\n" for label in labels))
        foreign = self.root / "foreign"
        done = shop.run("import-codes", self.root / "x.npy", "--ids", self.root / "x.txt", "--labels",
                        self.root / "y.txt", "-o", foreign)
        self.assertEqual(done.returncode, 0, done.stderr)
        result, _ = self.evaluate(foreign)
        rows = [i for i, label in enumerate(labels) if label]
        self.assertEqual((result["unlabelled"], result["alone"]), (90 - len(rows), 1))
        kept = [labels[i] for i in rows]
        self.assert_measures(result["codes"][0], measures(codes.astype(numpy.float32)[rows], kept))
        # Any order of the others is as likely: a share of R / (N - 1) has the label.
        chance = numpy.mean([(kept.count(label) - 1) / (len(kept) - 1) for label in kept if kept.count(label) > 1])
        self.assertLessEqual(abs(result["codes"][-1]["precision_at_1"] - chance), ROUNDED)
        done = shop.run("import-codes", self.root / "x.npy", "--ids", self.root / "x.txt", "-o", self.root / "mute")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_fails(shop.run("evaluate", "-c", self.root / "mute", text=True), 3, "no item of",
                          "import-codes --labels")
        self.assert_fails(shop.run("encode", self.photos, "-m", self.model, "-o", self.root / "mute", text=True), 2,
                          "holds a catalog made by import-codes, without photos", "--force")

    def test_damaged_compact_codes_are_told_and_left_out(self):
        broken = self.root / "broken"
        shutil.copytree(self.catalog, broken)
        (broken / "compact" / "projection.safetensors").write_text("junk")
        result, said = self.evaluate(broken)
        self.assertNotIn("compact codes", self.named(result))
        self.assertIn("projection.safetensors", said)
        self.assertIn(f"lookalike compact -c {broken}", said)
        shutil.rmtree(broken / "compact")
        shutil.copytree(self.catalog / "compact", broken / "compact")
        [matrix] = (broken / "compact").glob("codes_*.npy")
        matrix.write_text("junk")
        result, said = self.evaluate(broken)
        self.assertNotIn("compact codes", self.named(result))
        self.assertIn(f"it is damaged or no matrix of codes, make it again with lookalike compact -c {broken}", said)

    def test_no_labels_to_judge_by(self):
        none = self.root / "none"
        shop.run("encode", self.photos, "-m", self.model, "-o", none, "--label", "none", "-q")
        self.assert_fails(shop.run("evaluate", "-c", none, text=True), 3, "no item of", "encode takes labels")

    def test_the_report_has_the_table(self):
        page = self.root / "page.html"
        done = shop.run("report", "-c", self.catalog, "-o", page, "-q", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = page.read_text()
        start = text.index(">", text.index('id="data"')) + 1
        shown = json.loads(text[start:text.index("</script>", start)])["evaluation"]
        result, _ = self.evaluate(self.catalog)
        self.assertEqual((shown["labelled"], shown["unlabelled"], shown["judged"], shown["alone"], shown["labels"]),
                         (PHOTOS + 1, 1, PHOTOS + 1, 1, 2))
        rounded = [[*one[:2], *(round(value, 6) for value in one[2:])] for one in shown["codes"]]
        self.assertEqual(rounded, [[one["name"], one["numbers"], one["precision_at_1"], one["precision_at_5"],
                                    one["precision_at_10"], one["average_precision"]] for one in result["codes"]])
