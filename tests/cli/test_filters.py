"""--within, --where, --exclude-label-of-query, -k all and --memory as a user meets them. Standard library alone."""

import csv
import io
import json
import unittest

import shop


class FilterTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.open_shop(40)
        shop.train(cls.photos, cls.model)
        listed = cls.root / "list.csv"
        with open(listed, "w", encoding="utf-8") as file:
            file.write("path,id,label,price,in stock\n")
            for i, path in enumerate(sorted(cls.photos.rglob("*.png"))):
                file.write(f"{path},{i},{path.parent.name},{10 * i},{'yes' if i % 3 else 'no'}\n")
        done = shop.run("encode", listed, "-m", cls.model, "-o", cls.catalog, "-q", text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.all = cls.neighbours("7", "-k", "all")
        if len(cls.all) != 39:
            raise AssertionError(len(cls.all))

    @classmethod
    def search(cls, *words):
        return shop.run("search", *words, "-c", cls.catalog, text=True)

    @classmethod
    def neighbours(cls, *words):
        done = cls.search(*words, "--json")
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return [(one["id"], one["label"], one["distance"]) for one in json.loads(done.stdout)["neighbours"]]

    def table(self, *words):
        done = shop.run("recommend", "-c", self.catalog, "-o", "-", "-q", *words, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [row for row in csv.DictReader(io.StringIO(done.stdout)) if row["id"] == "7"]

    def expect(self, expected, *words):
        self.assertEqual(self.neighbours("7", *words), expected)
        self.assertEqual([(row["neighbour_id"], float(row["distance"])) for row in self.table(*words)],
                         [(one[0], one[2]) for one in expected])

    def test_within(self):
        for place in (0, 5, 20, 38):
            distance = self.all[place][2]
            near = [one for one in self.all if one[2] <= distance]
            self.expect(near, "--within", repr(distance))
            self.expect(near[:3], "--within", repr(distance), "-k", "3")
            self.expect(near, "--within", repr(distance), "-k", "all")
        self.expect([], "--within", "0")
        done = self.search("7", "--within", "0")
        self.assertIn("\n  no neighbour\n", done.stdout)

    def test_where(self):
        self.expect([one for one in self.all if one[1] == "discs"], "--where", "label=discs", "-k", "all")
        self.expect([one for one in self.all if one[1] == "discs"], "--where", "label = 'discs'", "-k", "all")
        self.expect([one for one in self.all if int(one[0]) < 9], "--where", "price < 90", "-k", "all")
        self.expect([one for one in self.all if int(one[0]) % 3 == 0][:5], "--where", "in stock=no", "-k", "5")
        self.expect([one for one in self.all if int(one[0]) % 3 and one[1] == "discs"],
                    "--where", "\"in stock\" = 'yes' AND label LIKE 'disc%'", "-k", "all")
        done = self.search("7", "--where", "label=shoes", "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["neighbours"]), (0, []))
        self.assertIn("no photo of the catalog fulfils --where", done.stderr)

    def test_exclude_label_of_query(self):
        label = self.search("7", "-k", "1").stdout.splitlines()[0].split("(")[1].rstrip(")")
        self.expect([one for one in self.all if one[1] != label], "--exclude-label-of-query", "-k", "all")
        self.expect([one for one in self.all if one[1] != label and int(one[0]) < 20][:4],
                    "--exclude-label-of-query", "--where", "price < 200", "-k", "4")

    def test_any_k(self):
        for k in ("39", "40", "41", "1000000000000", "all"):
            self.expect(self.all, "-k", k)
        self.expect(self.all[:1], "-k", "1")

    def test_what_is_wrong_is_refused(self):
        before = sorted(path.name for path in self.catalog.iterdir()), shop.ledger(self.catalog)
        for words, texts in (
                (("--where", "colour = 'red'"), ("no such column: colour", "id, path, label")),
                (("--where", "1); DROP TABLE items; --"), ("--where",)),
                (("--where", "ATTACH 'x' AS y"), ("--where",)),
                (("--where", "id IN (SELECT id FROM refusals)"), ("--where",)),
                (("--where", "load_extension('x') = 1"), ("load_extension",)),
                (("--where", ""), ("--where",)),
                (("--within", "-1"), ("--within",)), (("--within", "nan"), ("--within",)),
                (("--within", "far"), ("--within",)), (("-k", "none"), ("none",)), (("-k", "0"), ("-k",)),
                (("--memory", "1M"), ("--memory is 1M", "or more")), (("--memory", "2X"), ("--memory",))):
            self.assert_fails(self.search("7", *words), 2, *texts)
            self.assert_fails(shop.run("recommend", "-c", self.catalog, "-o", "-", *words, text=True), 2, *texts)
        self.assertEqual((sorted(path.name for path in self.catalog.iterdir()), shop.ledger(self.catalog)), before)

    def test_the_memory_named_is_enough(self):
        error = self.search("7", "--memory", "1M").stderr
        named = error.split("take ")[1].split(" ")[0]
        self.assertEqual(self.neighbours("7", "--memory", named, "-k", "5"), self.all[:5])
        self.assertEqual(self.neighbours("7", "--memory", "2G", "-k", "5"), self.all[:5])


if __name__ == "__main__":
    unittest.main()
