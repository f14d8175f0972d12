"""`lookalike search`, `recommend` and `doctor` as a user meets them. Standard library alone."""

import csv
import io
import json
import os
import struct
import subprocess
import unittest

import shop

PHOTOS = 60
ODD = {b"line\nend.png": "line\nend.png", b"a,\"b\".png": "a,\"b\".png", b"\xff\x1b[31m.png": "hex:ff1b5b33316d2e706e67"}


def png_size(data):
    return struct.unpack(">II", data[16:24])


class SearchTest(shop.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.open_shop(PHOTOS)
        for i, name in enumerate(ODD):
            shop.write_png(os.fsencode(cls.photos) + b"/" + name, 40, 40, shop.product(100 + i))
        # A product listed twice.
        (cls.photos / "twin.png").write_bytes((cls.photos / "discs" / "004.png").read_bytes())
        shop.train(cls.photos, cls.model)
        done = shop.run("encode", cls.photos, "-m", cls.model, "-o", cls.catalog, "--shard-rows", "7", "-q", text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.items = PHOTOS + len(ODD) + 1

    def search(self, *words, **options):
        return shop.run("search", *words, "-c", self.catalog, text=True, **options)

    def json(self, *words):
        done = self.search(*words, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def recommend(self, output, *words):
        done = shop.run("recommend", "-c", self.catalog, "-o", output, *words, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_a_twin_is_first_and_the_item_itself_left_out(self):
        [result] = self.json("discs/004.png", "-k", "3")
        self.assertEqual(result["query"], "discs/004.png")
        self.assertEqual(result["id"], "discs/004.png")
        first = result["neighbours"][0]
        self.assertEqual((first["rank"], first["id"], first["distance"]), (1, "twin.png", 0))
        self.assertEqual([n["rank"] for n in result["neighbours"]], [1, 2, 3])
        self.assertNotIn("discs/004.png", [n["id"] for n in result["neighbours"]])
        self.assertEqual(sorted(n["distance"] for n in result["neighbours"]),
                         [n["distance"] for n in result["neighbours"]])
        self.assertEqual(result["neighbours"][1]["label"], "discs")

    def test_include_self(self):
        [result] = self.json("stripes/005.png", "--include-self")
        first = result["neighbours"][0]
        self.assertEqual((first["id"], first["distance"]), ("stripes/005.png", 0))
        self.assertEqual(len(result["neighbours"]), 5)

    def test_an_id_and_its_file_agree(self):
        [by_id] = self.json("stripes/009.png")
        [by_file] = self.json(self.photos / "stripes" / "009.png")
        self.assertEqual(by_file["id"], "stripes/009.png")
        self.assertEqual(by_id["neighbours"], by_file["neighbours"])

    def test_a_photo_from_outside(self):
        outside = self.root / "outside.png"
        outside.write_bytes((self.photos / "stripes" / "009.png").read_bytes())
        [result] = self.json(outside)
        self.assertIsNone(result["id"])
        self.assertEqual((result["neighbours"][0]["id"], result["neighbours"][0]["distance"]), ("stripes/009.png", 0))

    def test_the_catalog_stands_alone(self):
        moved, photos = self.root / "moved", self.root / "gone"
        shop.make_photos(photos, 8)
        shop.run("encode", photos, "-m", self.model, "-o", self.root / "alone", "-q")
        photos.rename(moved)
        done = shop.run("search", "discs/002.png", "-c", self.root / "alone", "--picture", self.root / "alone.png")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_table(self):
        done = self.search("discs/004.png", "stripes/005.png", "-k", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "query  discs/004.png  (discs)")
        self.assertRegex(lines[1], r"^  rank +distance  label +id$")
        self.assertRegex(lines[2], r"^     1 +0\.0000  \S* +twin\.png$")
        self.assertEqual(lines[4], "")
        self.assertEqual(lines[5], "query  stripes/005.png  (stripes)")
        self.assertEqual(len(lines), 9)
        self.assertEqual(done.stderr, "")

    def test_names_of_any_bytes(self):
        for name, text in ODD.items():
            done = shop.run("search", name, "-c", self.catalog, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["id"], text)
            done = shop.run("search", name, "-c", self.catalog)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn(b"\x1b", done.stdout)
            self.assertEqual(done.stdout.count(b"\n"), 7)
            done.stdout.decode("utf-8")

    def test_more_than_there_are(self):
        done = self.search("discs/000.png", "-k", "1000", "--json")
        self.assertEqual(len(json.loads(done.stdout)["neighbours"]), self.items - 1)
        self.assertIn(f"the catalog has {self.items} photos", done.stderr)

    def test_the_picture(self):
        picture = self.root / "result.png"
        one = self.search("discs/004.png", "-k", "3", "--picture", picture)
        self.assertEqual(one.returncode, 0, one.stderr)
        self.assertIn(f"picture: {picture}", one.stderr)
        width, height = png_size(picture.read_bytes())
        self.search("discs/004.png", self.photos / "twin.png", "-k", "4", "--picture", picture)
        wider, higher = png_size(picture.read_bytes())
        self.assertGreaterEqual(wider, width + 150)
        self.assertGreaterEqual(higher, height + 150)

    def test_what_is_wrong_is_refused(self):
        broken = self.root / "broken.jpg"
        broken.write_bytes(b"\xff\xd8 no picture")
        self.assert_fails(self.search("no/such.png"), 2, "no/such.png", "neither")
        self.assert_fails(self.search(broken), 3, "broken.jpg")
        self.assert_fails(self.search("discs/004.png", "-k", "0"), 2, "-k")
        self.assert_fails(self.search("discs/004.png", "-k", "-1"), 2, "-k")
        self.assert_fails(self.search("discs/004.png", "-k", "5x"), 2, "5x")
        self.assert_fails(self.search("discs/004.png", "--picture", "a.jpg"), 2, "--picture")
        self.assert_fails(self.search("discs/004.png", "--picture", self.root / "no" / "a.png"), 5, "a.png")
        self.assert_fails(shop.run("search", "x", "-c", self.root / "none", text=True), 2, "none")
        self.assert_fails(shop.run("recommend", "-c", self.catalog, "-o", "table.xml", text=True), 2, "table.xml")
        self.assert_fails(shop.run("recommend", "-c", self.catalog, "-o", self.root / "no" / "t.csv", text=True), 5)

    def test_recommend_csv(self):
        table = self.root / "table.csv"
        done = self.recommend(table, "-k", "4")
        self.assertEqual(done.stdout, "")
        self.assertIn(f"recommendations: {table}", done.stderr)
        with open(table, encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["id", "rank", "neighbour_id", "distance"])
        self.assertEqual(len(rows) - 1, self.items * 4)
        for i in range(0, self.items * 4, 4):
            block = rows[1 + i:5 + i]
            self.assertEqual(len({row[0] for row in block}), 1)
            self.assertEqual([row[1] for row in block], ["1", "2", "3", "4"])
            self.assertNotIn(block[0][0], [row[2] for row in block])
            self.assertEqual(len({row[2] for row in block}), 4)
            distances = [float(row[3]) for row in block]
            self.assertEqual(distances, sorted(distances))
        ids = {row[0] for row in rows[1:]}
        self.assertEqual(len(ids), self.items)
        for name in ODD:
            self.assertIn(name.decode("utf-8", "surrogateescape"), ids)
        # The same as a search for one of them.
        [result] = self.json("stripes/011.png", "-k", "4")
        self.assertEqual([(row[2], float(row[3])) for row in rows if row[0] == "stripes/011.png"],
                         [(n["id"], n["distance"]) for n in result["neighbours"]])

    def test_recommend_jsonl_is_the_same_table(self):
        lines, table = self.root / "table.jsonl", self.root / "same.csv"
        self.recommend(lines, "-k", "3")
        self.recommend(table, "-k", "3", "--threads", "1")
        objects = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        with open(table, encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(objects), len(rows))
        for one, row in zip(objects, rows):
            self.assertEqual(list(one), ["id", "rank", "neighbour_id", "distance"])
            self.assertEqual((one["rank"], one["distance"]), (int(row["rank"]), float(row["distance"])))
            raw = row["id"].encode("utf-8", "surrogateescape")
            self.assertEqual(one["id"], ODD.get(raw, row["id"]))

    def test_recommend_on_standard_output(self):
        done = shop.run("recommend", "-c", self.catalog, "-o", "-", "-k", "1", "-q")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(list(csv.reader(io.StringIO(done.stdout.decode("utf-8", "replace"))))), self.items + 1)
        self.assertEqual(done.stderr, b"")

    def test_a_reader_that_goes_is_no_news(self):
        for words in (("recommend", "-o", "-", "-k", "60", "-q"), ("search", "discs/004.png", "-k", "60")):
            command = [shop.PROGRAM, *words, "-c", str(self.catalog)]
            run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
            run.stdout.close()  # before a line is written
            error = run.stderr.read()
            run.stderr.close()
            run.wait(timeout=60)
            self.assertEqual(error, b"")
            self.assertNotEqual(run.returncode, 0)

    def test_a_full_disk_is_heard(self):
        with open("/dev/full", "wb") as full:
            for words in (("recommend", "-o", "-", "-q"), ("search", "discs/004.png")):
                done = subprocess.run([shop.PROGRAM, *words, "-c", str(self.catalog)], stdout=full,
                                      stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, 5, done.stderr)
                self.assertIn("standard output could not be written", done.stderr)

    def test_doctor(self):
        done = shop.run("doctor", text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("device cpu", "device cuda", "cores", "instruction sets", "OpenCV", "SQLite"):
            self.assertIn(word, done.stdout)
        facts = json.loads(shop.run("doctor", "--json", text=True).stdout)
        self.assertGreaterEqual(facts["cores"], 1)
        cpu = facts["devices"][0]
        self.assertTrue(cpu["usable"])
        self.assertEqual(cpu["instruction_set"], facts["instruction_sets"][-1])
        for name in ("OpenCV", "libjpeg-turbo", "libtiff", "giflib", "SQLite", "Highway", "xxHash", "fmt", "CLI11", "nlohmann-json"):
            self.assertRegex(facts["libraries"][name], r"^\d+\.\d+\.\d+$")
            self.assertIn(name, done.stdout)

    def test_help_has_examples_first_and_defaults(self):
        for command, words in (("encode", ("--batch-size", "128", "--shard-rows", "2048")), ("search", ("-k", "5")),
                               ("recommend", ("10",)), ("verify", ()), ("doctor", ("--json",))):
            text = shop.run(command, "--help", text=True).stdout
            self.assertIn(f"lookalike {command} ", text)
            for word in words:
                self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
