"""Every shell and Python example of README.md and docs/ runs as it is written, on a few small photos.

Each page's blocks go to one shell, in order; README's come before those of the pages that use its files.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import shop

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = (("README.md", "docs/keras.md", "docs/formats.md"), ("docs/first-hour.md",))
# Blocks of nothing else: they install packages, or build and run everything.
NOT_RUN = ("tools/quickstart.sh", "tools/test.sh", "python3 -m venv .venv-peers", ".venv-peers/bin/python",
           "bench/peers/", "git clone", "cd lookalike")
PHOTOS = 24
NAMED = "animals/mammals/bovines/sheep_lamb.png"  # in README's examples


def blocks(page):
    """(line, language, text) of each fenced example."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(text[:found.start()].count("\n") + 1, found[1], found[2])
            for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def is_run(language, text):
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return language in ("sh", "python") and not all(line.startswith(NOT_RUN) for line in lines)


def script_of(page):
    script = ""
    for line, language, text in blocks(page):
        if not is_run(language, text):
            continue
        # The photos of the page are replaced by those of the test.
        text = re.sub(r"^PHOTOS=.*$", 'PHOTOS="$TEST_PHOTOS"', text, flags=re.MULTILINE)
        if language == "python":
            text = f"\"$TEST_PYTHON\" - <<'END_OF_EXAMPLE'\n{text}END_OF_EXAMPLE\n"
        script += f"echo '@ {page}:{line}' >&2\n{text}"
    return script


class DocsTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.photos = self.root / "photos"
        shop.make_photos(self.photos, PHOTOS)
        (self.photos / NAMED).parent.mkdir(parents=True)
        shop.write_png(self.photos / NAMED, 60, 60, shop.product(77))
        (self.photos / "discs" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
        self.work = self.root / "work"
        (self.work / ".venv-tests" / "bin").mkdir(parents=True)
        python = self.work / ".venv-tests" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        (self.work / "tools").symlink_to(ROOT / "tools")
        (self.work / "build").symlink_to(Path(shop.PROGRAM).parent)

    def run_script(self, script):
        settings = dict(os.environ, TEST_PHOTOS=str(self.photos), TEST_PYTHON=sys.executable, TERM="dumb")
        return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.work, env=settings, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False)

    def test_every_example_runs_as_it_is_written(self):
        for pages in SESSIONS:
            with self.subTest(pages[0]):
                done = self.run_script("".join(map(script_of, pages)))
                self.assertEqual(done.returncode, 0, done.stderr[-3000:])

    def test_every_page_with_examples_is_in_a_session(self):
        known = {page for pages in SESSIONS for page in pages}
        found = {str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
        self.assertEqual({page for page in found if any(is_run(*block[1:]) for block in blocks(page))}, known)

    def test_a_wrong_example_is_found(self):
        done = self.run_script("lookalike encode nowhere -m none -o c\n")
        self.assertNotEqual(done.returncode, 0)


class LinkTest(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
            for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
                self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")


if __name__ == "__main__":
    unittest.main()
