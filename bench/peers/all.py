#!/usr/bin/env python3
"""Every contest with the peers, then one table and one plot.

  bench/peers/all.py PHOTOS       PHOTOS holds train/ and validation/, a photo's folder is its label

Makes .venv-peers with the pinned peers where it is missing (several gigabytes), runs the contests one after the
other and writes bench/results/peers.md and peers.svg. Each contest's JSON is kept in --keep; --draw makes table and
plot from such a folder again, without running anything.
"""

import argparse
import html
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / ".venv-peers"
PEER_NAMES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch", "keras": "Keras"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, default=ROOT / "build" / "peers", help="default build/peers")
    parser.add_argument("--draw", action="store_true", help="from the JSON files in --keep")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "bench" / "results", help="default bench/results")
    arguments = parser.parse_args()
    if not arguments.draw and arguments.photos is None:
        parser.error("name PHOTOS, or --draw what was measured before")
    return arguments


def contests(photos):
    """Name of the JSON file -> script and its arguments."""
    return {"encode": ["encode.py"], "train": ["train.py"], "catalog": ["catalog.py", "encode", photos],
            "whole_train": ["catalog.py", "train", photos, "--epochs", "20", "--rounds", "1"]}


def measure(arguments):
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", ROOT / "tools" / "requirements-peers.txt"],
                       check=True)
    arguments.keep.mkdir(parents=True, exist_ok=True)
    for name, words in contests(arguments.photos).items():
        print(f"{name} ...", file=sys.stderr)
        command = [python, HERE / words[0], *words[1:], "--json", arguments.keep / f"{name}.json"]
        subprocess.run(list(map(str, command)), check=True)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.strip()
    versions = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True,
                              check=True).stdout
    wanted = ("keras", "tensorflow", "torch", "numpy")
    about = {"commit": commit, "system": platform.platform(),
             "versions": {p["name"]: p["version"] for p in json.loads(versions) if p["name"] in wanted}}
    (arguments.keep / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def rows_of(result):
    """One contest -> rows of work, peer, ours, theirs, ratio, how; its first side is ours."""
    if "sides" in result:
        first, *peers = result["sides"]
        return [(f"{result['work']}, in memory", PEER_NAMES.get(side["side"], side["side"]),
                 f"{first['images_per_second']:,.0f}/s", f"{side['images_per_second']:,.0f}/s", side["ratio"],
                 f"{side['setting'] or 'plain'}, {result['rounds']} rounds") for side in peers]
    epochs = f", {result['epochs']} epochs" if "epochs" in result else ""
    work = {"encode": "photos to a catalog", "train": "photos to a model"}[result["work"]]
    ours, keras = (statistics.median(result["seconds"][side]) for side in ("ours", "keras"))
    rounds = f"{result['rounds']} round{'s' if result['rounds'] > 1 else ''}"
    how = (f"{result['keras_setting'] or 'plain'}, {rounds}; {result['ratio_without_loading']:.2f} "
           "without the loading of its libraries")
    return [(f"{work}, {result['photos']:,} files{epochs}", "Keras", f"{ours:.2f} s", f"{keras:.2f} s",
             result["ratio"], how)]


def table(rows, results, about):
    machine = results[0]
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    lines = ["# Beside the peers", "",
             f"{machine['processor']}, {machine['threads']} threads, {about.get('system', 'system not noted')}; commit "
             f"{about.get('commit', 'not noted')}; {versions or 'versions not noted'}.",
             "Sides by turns, medians, every peer at the best of the settings that the scripts try. Made by "
             "`bench/peers/all.py PHOTOS`.", "", "![ratios](peers.svg)", "",
             "| work | peer | ours | peer's | ratio | setting |", "|---|---|---|---|---|---|"]
    lines += [f"| {work} | {peer} | {ours} | {theirs} | {ratio:.2f} | {how} |"
              for work, peer, ours, theirs, ratio, how in rows]
    return "\n".join(lines) + "\n"


def plot(rows):
    """Horizontal bars: how many times as fast as the peer."""
    bar, gap, left, width = 18, 10, 330, 760
    most = max(row[4] for row in rows)
    height = len(rows) * (bar + gap) + gap
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="13">', '<rect width="100%" height="100%" fill="#fff"/>']
    scale = (width - left - 60) / most
    for i, (work, peer, _, _, ratio, _) in enumerate(rows):
        y = gap + i * (bar + gap)
        parts += [f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{html.escape(f"{work}: {peer}")}</text>',
                  f'<rect x="{left}" y="{y}" width="{ratio * scale:.1f}" height="{bar}" fill="#3568a8"/>',
                  f'<text x="{left + ratio * scale + 6:.1f}" y="{y + 14}">{ratio:.1f} x</text>']
    one = left + scale
    parts.append(f'<line x1="{one:.1f}" y1="0" x2="{one:.1f}" y2="{height}" stroke="#c33" stroke-dasharray="3 3"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    arguments = parse_arguments()
    if not arguments.draw:
        measure(arguments)
    names = [name for name in contests("") if (arguments.keep / f"{name}.json").exists()]
    if not names:
        raise SystemExit(f"all.py: {arguments.keep} holds no results, measure first")
    results = [json.loads((arguments.keep / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    about = arguments.keep / "about.json"
    about = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
    rows = [row for result in results for row in rows_of(result)]
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "peers.md").write_text(table(rows, results, about), encoding="utf-8")
    (arguments.output / "peers.svg").write_text(plot(rows), encoding="utf-8")
    print(os.path.relpath(arguments.output / "peers.md"))


if __name__ == "__main__":
    main()
