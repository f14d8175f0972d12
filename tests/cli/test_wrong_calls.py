"""Every call of wrong_calls.py fails with its exit code and one line that says what and where, and changes nothing.

The table is run by a few threads: each call takes milliseconds. Standard library alone.
"""

import os
import re
import shlex
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import shop
from wrong_calls import CALLS

NOBODY = 65534
SECONDS = 20  # a call that waits for something fails; none takes a tenth of that


def copy(root, name, source="catalog"):
    shutil.copytree(root / source, root / name)
    return root / name


def damage(path, at, bits=1):
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(data)


def cut(path, length):
    os.truncate(path, length)


def change_ledger(catalog, statement):
    database = sqlite3.connect(catalog / "catalog.sqlite")
    with database:
        database.execute(statement)
    database.close()


def make_lists(root):
    (root / "empty").mkdir()
    (root / "folder.png").mkdir()
    os.mkfifo(root / "pipe.png")
    (root / "folder.csv").mkdir()
    (root / "limited").mkdir()
    (root / "full").mkdir()
    (root / "foreign").mkdir()
    (root / "foreign" / "hello.txt").write_text("hello\n")
    (root / "empty.txt").write_text("")
    (root / "eight.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n")
    (root / "nul.txt").write_bytes(b"a.png\0b.png\n")
    (root / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (root / "cut.png").write_bytes((root / "photos" / "discs" / "000.png").read_bytes()[:-20])
    os.mkfifo(root / "fifo.jpg")
    for name, lines in (("no_path", "id,label\na,b\n"), ("two_columns", "path,x,x\na,b,c\n"),
                        ("ragged", "path,x\na,b\na,b,c\n"), ("open_quote", 'path\n"a\n'),
                        ("empty_path", "path,x\n,b\n"), ("empty_id", "path,id\na,\n"),
                        ("twice", "path,id\na,same\nb,other\nc,same\n")):
        (root / f"{name}.csv").write_text(lines)
    (root / "twice.txt").write_text("a.png\nb.png\na.png\n")


def make_models(root):
    model = (root / "model" / "model.safetensors").read_bytes()
    for name, length in (("cut_1", len(model) - 1), ("cut_8", 8), ("cut_half", len(model) // 2)):
        (root / f"{name}.safetensors").write_bytes(model[:length])
    (root / "flipped.safetensors").write_bytes(model)
    damage(root / "flipped.safetensors", len(model) - 5)
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '
    (root / "foreign.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    size = struct.unpack("<Q", model[:8])[0]
    text = re.sub(rb'"checksum":"[0-9a-f]+",', b"", model[8:8 + size]).replace(b'"version":"1"', b'"version":"9"')
    text += b" " * (-len(text) % 8)
    (root / "newer.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + model[8 + size:])
    cut(copy(root, "cut_state", "model") / "training.safetensors", 1000)
    (copy(root, "stateless", "model") / "training.safetensors").unlink()


def make_catalogs(root):
    for name in ("catalog_b", "catalog_c", "catalog_d"):  # calls run side by side, and encode locks its catalog
        copy(root, name)
    cut(copy(root, "cut_ledger") / "catalog.sqlite", 5000)
    (copy(root, "text_ledger") / "catalog.sqlite").write_text("hello\n" * 1000)
    (copy(root, "empty_ledger") / "catalog.sqlite").write_bytes(b"")
    (copy(root, "other_ledger") / "catalog.sqlite").unlink()
    change_ledger(root / "other_ledger", "CREATE TABLE items (id TEXT)")
    change_ledger(copy(root, "newer_ledger"), "PRAGMA user_version = 9")
    change_ledger(copy(root, "settings_changed"), "UPDATE settings SET value = '7' WHERE name = 'shard_rows'")
    change_ledger(copy(root, "item_changed"), "UPDATE items SET label = 'x' WHERE \"row\" = 3")
    (copy(root, "no_ledger") / "catalog.sqlite").unlink()
    (copy(root, "no_model") / "model.safetensors").unlink()
    (copy(root, "no_thumbs") / "thumbs.sqlite").unlink()
    (copy(root, "text_thumbs") / "thumbs.sqlite").write_text("hello\n" * 1000)
    shutil.copy(root / "model2" / "model.safetensors", copy(root, "other_model"))
    shard = "codes/codes_00000.npy"
    (copy(root, "no_shard") / shard).unlink()
    cut(copy(root, "cut_shard") / shard, 20000)
    (copy(root, "text_shard") / shard).write_text("hello\n" * 1000)
    damage(copy(root, "flipped_shard") / shard, 5000)
    with open(copy(root, "nan_shard") / shard, "r+b") as file:
        file.seek(128 + 4 * 2888 * 2 + 4)
        file.write(struct.pack("<f", float("nan")))
    more = copy(root, "more_shards") / "codes"
    shutil.copy(more / "codes_00000.npy", more / "codes_00007.npy")
    # As a run leaves it that was killed before its first shard.
    begun = copy(root, "begun")
    shutil.rmtree(begun / "codes")
    change_ledger(begun, "DELETE FROM items")
    change_ledger(begun, "DELETE FROM shards")


def make_forbidden(root):
    for name, source in (("unreadable.txt", "twice.txt"), ("unreadable.png", "photos/discs/000.png"),
                         ("unreadable.safetensors", "model/model.safetensors")):
        shutil.copy(root / source, root / name)
        os.chmod(root / name, 0)
    (root / "unsearchable").mkdir(mode=0)
    (root / "locked").mkdir(mode=0o555)
    (root / "plain").mkdir()
    os.chmod(root / "plain", 0o777)
    os.chmod(copy(root, "unreadable_ledger") / "catalog.sqlite", 0)


def tree(root):
    """All names with sizes. limited/ is left out: how far a run comes there depends on its files' sizes."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != "limited"]
        found[folder] = 0
        for name in files:
            path = os.path.join(folder, name)
            found[path] = os.lstat(path).st_size
    return found


def may_mount():
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


def needs_mount(call):
    return call[1].startswith(("[full", "[ro]"))


def locks(case):
    return re.match(r"(?:\[[^]]*\] )?(?:train|encode|compact|index|import-codes)\b", case[1]) is not None


class WrongCallsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = root = Path(temporary.name)
        os.chmod(root, 0o755)
        shop.make_photos(root / "photos", 8)
        shop.make_photos(root / "other", 4)
        shop.train(root / "photos", root / "model")
        shop.train(root / "other", root / "model2")
        done = shop.run("encode", "photos", "-m", "model", "-o", "catalog", "-q", cwd=root)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        make_lists(root)
        make_models(root)
        make_catalogs(root)
        make_forbidden(root)
        cls.program = shop.PROGRAM
        if os.getuid() == 0:  # nobody may not be able to reach the build's folder
            cls.program = str(root / "lookalike")
            shutil.copy(shop.PROGRAM, cls.program)
            shutil.copy(Path(shop.PROGRAM).parent / "liblookalike_codecs.so", root)

    def command(self, line):
        """Words and options of subprocess.run."""
        where, line = re.fullmatch(r"(?:\[([^]]*)\] )?(.*)", line).groups()
        words = [self.program, *shlex.split(line)]
        options = {"cwd": self.root, "stdin": subprocess.DEVNULL}
        kind, _, value = (where or "").partition(" ")
        if kind == "plain" and os.getuid() == 0:
            options.update(user=NOBODY, group=NOBODY, extra_groups=[])
        elif kind in ("full", "ro"):
            mount = "size=64k" if kind == "full" else "ro"
            fill = f"dd if=/dev/zero of=full/.fill bs=1k count={64 - int(value or 0)} status=none 2>/dev/null;"
            script = f'mount -t tmpfs -o {mount} none full && {{ {fill if kind == "full" else ""} exec "$@"; }}'
            words = ["unshare", "--mount", "sh", "-c", script, "sh", *words]
        elif kind == "limit":
            words = ["prlimit", f"--fsize={value}", *words]
        elif kind == "stdin":
            del options["stdin"]
            options["input"] = (self.root / value).read_bytes()
        return words, options

    def call_in_turn(self, cases):
        results = []
        for case in cases:
            words, options = self.command(case[1])
            done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False, **options)
            results.append((case, done))
        return results

    def check(self, calls):
        before = tree(self.root)
        # Those that lock a model or catalog would find it in use by one another.
        queues = [[case for case in calls if locks(case)], *([case] for case in calls if not locks(case))]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            results = sum(threads.map(self.call_in_turn, queues), [])
        for (code, line, *texts), done in results:
            with self.subTest(line):
                error = done.stderr.decode("utf-8")
                self.assertEqual((done.returncode, done.stdout), (code, b""), error)
                self.assertRegex(error, r"\Alookalike: error\[E_[A-Z_]+\]: [^\n]+\n\Z")
                for text in texts:
                    self.assertIn(text, error)
                self.assertNotRegex(error, r"basic_|std::|terminate|what\(\)|errno")
        self.assertEqual(tree(self.root), before)

    def test_every_wrong_call_fails_as_the_table_says(self):
        self.check([call for call in CALLS if not needs_mount(call)])

    @unittest.skipUnless(may_mount(), "needs the right to mount")
    def test_full_and_read_only_disks_fail_as_the_table_says(self):
        self.check([call for call in CALLS if needs_mount(call)])

    def test_the_table_is_long_and_names_each_call_once(self):
        self.assertGreaterEqual(len(CALLS), 150)
        self.assertEqual(len({line for _, line, *_ in CALLS}), len(CALLS))


if __name__ == "__main__":
    unittest.main()
