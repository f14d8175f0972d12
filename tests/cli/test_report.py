"""`lookalike report`: what it writes and says. Standard library alone; test_report_page.py opens it in a browser."""

import base64
import csv
import hashlib
import shutil
import tempfile
import unittest
from pathlib import Path

import shop
from report_shop import HOSTILE, ITEMS, SCRIPT_ID, Elements, Shop

LIMIT = 50_000_000


class ReportTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.root = Path(cls.temporary.name)
        cls.shop = Shop(cls.root)
        cls.text = cls.shop.report().read_text(encoding="utf-8")
        cls.elements = Elements(cls.text)
        cls.data, cls.pictures = cls.elements.data("data"), cls.elements.data("pictures")

    def report(self, *words):
        return shop.run("report", "-c", self.shop.catalog, *words, text=True)

    def ids(self):
        return [item["id"] for item in self.data["items"]]

    def test_nothing_comes_from_a_network(self):
        for tag, attributes, _ in self.elements.found:
            for name in ("src", "href", "action", "data", "srcset", "poster"):
                self.assertRegex(attributes.get(name, "#"), r"^(#|data:image/)", tag)
        style = [text for tag, _, text in self.elements.found if tag == "style"]
        self.assertEqual(len(style), 1)
        self.assertNotRegex(style[0], r"url\(|@import")

    def test_the_policy_allows_this_style_and_this_script_alone(self):
        [policy] = [attributes["content"] for tag, attributes, _ in self.elements.found
                    if attributes.get("http-equiv") == "Content-Security-Policy"]
        self.assertTrue(policy.startswith("default-src 'none'; img-src data:;"), policy)
        self.assertNotIn("unsafe", policy)
        for kind, tag in (("style-src", "style"), ("script-src", "script")):
            [text] = [text for name, attributes, text in self.elements.found if name == tag and "type" not in attributes]
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            self.assertIn(f"{kind} 'sha256-{digest}'", policy)
        for tag, attributes, _ in self.elements.found:
            self.assertFalse([name for name in attributes if name.startswith("on") or name == "style"], tag)

    def test_no_name_becomes_markup(self):
        kinds = [attributes.get("type") for tag, attributes, _ in self.elements.found if tag == "script"]
        self.assertEqual(kinds, ["application/json", "application/json", None])
        self.assertNotIn("alert(1)<", self.text)
        self.assertTrue(set(HOSTILE.values()) | {SCRIPT_ID} <= {item.get("shown", item["id"]) for item in self.data["items"]})
        self.assertIn("hex:ff1b5b33316d2e706e67", self.ids())
        self.assertIn("line\nend.png", self.ids())

    def test_neighbours_are_those_of_recommend(self):
        table = self.root / "table.csv"
        self.shop.run("recommend", "-c", self.shop.catalog, "-k", "12", "-o", table)
        wanted = {}
        with open(table, encoding="utf-8", errors="surrogateescape", newline="") as file:
            for row in csv.DictReader(file):
                wanted.setdefault(row["id"], []).append((row["neighbour_id"], float(row["distance"])))
        plain = {"hex:ff1b5b33316d2e706e67": b"\xff\x1b[31m.png".decode(errors="surrogateescape")}
        ids = [plain.get(one, one) for one in self.ids()]
        found = {ids[i]: [(ids[n], d) for n, d in item["near"]] for i, item in enumerate(self.data["items"])}
        self.assertEqual(found, wanted)

    def test_it_says_what_was_trained_and_on_what(self):
        with open(self.shop.model / "metrics.csv", encoding="ascii", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["loss"] for row in self.data["history"]], [float(row["loss"]) for row in rows])
        self.assertEqual([row["epoch"] for row in self.data["history"]], [1, 2, 3])
        self.assertEqual(dict(self.data["model"]["settings"])["batch_size"], "16")
        catalog = self.data["catalog"]
        self.assertEqual((catalog["listed"], catalog["encoded"], catalog["refused"]), (ITEMS + 1, ITEMS, 1))
        self.assertEqual(self.data["refusals"]["first"][0][0], "discs/cut.png")
        self.assertEqual(self.data["refusals"]["reasons"][0][1], 1)

    def test_the_worst_come_first_by_loss_above_the_floor(self):
        excess = [item["loss"] - item["floor"] for item in self.data["items"]]
        worst = self.data["worst"]
        self.assertEqual(worst, sorted(range(ITEMS), key=lambda i: -excess[i])[:12])
        self.assertTrue(all(value >= 0 for value in excess))
        self.assertEqual(len(self.data["spread"]), 12)
        self.assertEqual(len(self.pictures["reconstructions"]), 24)
        for picture in self.pictures["items"] + self.pictures["reconstructions"]:
            self.assertTrue(base64.b64decode(picture, validate=True).startswith(b"\xff\xd8"))

    def test_a_sample_is_even_and_said(self):
        page = self.root / "sample.html"
        done = self.report("-o", page, "--items", "10", "-k", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(f"a sample: 10 of {ITEMS} products", done.stderr)
        self.assertIn(f"report: {page}", done.stderr)
        elements = Elements(page.read_text(encoding="utf-8"))
        data, pictures = elements.data("data"), elements.data("pictures")
        self.assertEqual([item["id"] for item in data["items"]], [self.ids()[i * ITEMS // 10] for i in range(10)])
        # Neighbours are of the whole catalog, those outside with a picture too.
        everybody = [item["id"] for item in data["items"] + data["others"]]
        for item in data["items"]:
            whole = self.data["items"][self.ids().index(item["id"])]
            self.assertEqual([(everybody[n], d) for n, d in item["near"]],
                             [(self.ids()[n], d) for n, d in whole["near"][:3]])
        self.assertGreater(len(data["others"]), 0)
        self.assertEqual(len(pictures["items"]), len(everybody))
        self.assertNotIn("", pictures["items"])

    def test_the_same_bytes_again(self):
        again = self.shop.report("again.html", "--threads", "1")
        self.assertEqual(again.read_text(encoding="utf-8"), self.text)

    def test_a_catalog_stands_alone_and_may_have_no_history(self):
        moved = self.root / "moved"
        shutil.copytree(self.shop.catalog, moved)
        (moved / "metrics.csv").unlink()
        done = shop.run("report", "-c", moved, "-o", self.root / "moved.html", text=True, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no loss curve", done.stderr)
        (moved / "metrics.csv").write_text("something else\n", encoding="ascii")
        self.assert_fails(shop.run("report", "-c", moved, "-o", self.root / "moved.html", text=True), 6, "metrics.csv line 1")
        # encode brings the history back.
        done = shop.run("encode", self.root / "photos.csv", "-m", self.shop.model, "-o", moved, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((moved / "metrics.csv").read_bytes(), (self.shop.model / "metrics.csv").read_bytes())

    def test_without_thumbnails(self):
        bare = self.root / "bare"
        shutil.copytree(self.shop.catalog, bare)
        (bare / "thumbs.sqlite").unlink()
        page = self.root / "bare.html"
        done = shop.run("report", "-c", bare, "-o", page, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        data = Elements(page.read_text(encoding="utf-8")).data("data")
        self.assertEqual(data["worst"], [])
        self.assertEqual({item["loss"] for item in data["items"]}, {None})

    def test_it_is_never_larger_than_its_bound(self):
        self.assertLess(len(self.text.encode()), LIMIT)
        self.assertIn("MB", self.report("-o", self.root / "size.html").stderr)

    def test_what_is_wrong_is_refused(self):
        page = self.root / "wrong.html"
        self.assert_fails(self.report("-o", self.root / "page.pdf"), 2, "page.pdf", ".html")
        self.assert_fails(self.report("-o", page, "--items", "0"), 2, "--items")
        self.assert_fails(self.report("-o", page, "--items", "2001"), 2, "--items")
        self.assert_fails(self.report("-o", page, "-k", "0"), 2, "-k")
        self.assert_fails(self.report("-o", page, "-k", "101"), 2, "-k")
        self.assert_fails(self.report("-o", self.root / "no" / "page.html"), 5, "page.html")
        self.assert_fails(shop.run("report", "-c", self.root / "none", "-o", page, text=True), 2, "none")
        self.assertFalse(page.exists())

    def test_help(self):
        text = shop.run("report", "--help", text=True).stdout
        self.assertIn("lookalike report -c catalog -o report.html", text)
        for word in ("--items", "2000", "-k", "12"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
