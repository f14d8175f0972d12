"""A catalog and its report for the tests: names of every kind, labels, refusals, a training's history."""

import html.parser
import json
import os
from pathlib import Path

import shop

PHOTOS = 24
# What a name may be, and how the page shows it.
HOSTILE = {
    b"<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
    b"a'\"`${alert(1)}&amp;.png": "a'\"`${alert(1)}&amp;.png",
    b"__proto__": "__proto__",
    b"line\nend.png": "line\\x0aend.png",
    b"\xff\x1b[31m.png": "\\xff\\x1b[31m.png",
    "caf\u00e9\u2028\u202egnp.exe".encode(): "caf\u00e9\u2028\u202egnp.exe",
}
# A folder "<" makes this id hold the end of a script element.
SCRIPT_ID = "<" + "/script><script>alert(1)<" + "/script>.png"
ITEMS = PHOTOS + len(HOSTILE) + 1


class Shop:
    """photos/, model/ and catalog/ in `root`; every name of HOSTILE and SCRIPT_ID among the ids."""

    def __init__(self, root):
        self.root = Path(root)
        self.photos, self.model, self.catalog = self.root / "photos", self.root / "model", self.root / "catalog"
        shop.make_photos(self.photos, PHOTOS)
        names = [*HOSTILE, os.fsencode(SCRIPT_ID)]
        for i, name in enumerate(names):
            path = os.fsencode(self.photos) + b"/" + name
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shop.write_png(path, 40, 40, shop.product(100 + i))
        (self.photos / "discs" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        # A name without an ending is no photo of a folder, so all are listed.
        listed = [os.path.join(folder, name) for folder, _, files in os.walk(os.fsencode(self.photos)) for name in files]
        table = self.root / "photos.csv"
        with open(table, "wb") as file:
            file.write(b"id,path,label\r\n")
            for path in sorted(listed):
                quoted = [part.replace(b'"', b'""') for part in
                          (os.path.relpath(path, os.fsencode(self.photos)), path, os.path.basename(os.path.dirname(path)))]
                file.write(b",".join(b'"' + part + b'"' for part in quoted) + b"\r\n")
        self.run("train", table, "-o", self.model, "--epochs", "3", "--batch-size", "16", "-q")
        self.run("encode", table, "-m", self.model, "-o", self.catalog, "-q")

    @staticmethod
    def run(*words):
        done = shop.run(*words)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode(errors="replace"))
        return done

    def report(self, name="report.html", *words):
        page = self.root / name
        self.run("report", "-c", self.catalog, "-o", page, *words)
        return page


class Elements(html.parser.HTMLParser):
    """The page's elements: (tag, attributes, text of a style or script)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.found and self.cdata_elem:
            self.found[-1][2] += data

    def data(self, name):
        [text] = [text for tag, attributes, text in self.found if tag == "script" and attributes.get("id") == name]
        return json.loads(text)
