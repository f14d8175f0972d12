#!/usr/bin/env python3
"""Every contest with the peers, then one table and one plot.

  bench/peers/all.py PHOTOS [--search CATALOG ROWS [ROWS ...]]

PHOTOS holds train/ and validation/, a photo's folder is its label. Makes .venv-peers with the pinned peers where it
is missing (several gigabytes), runs the contests one after the other, that of search on the first ROWS of a catalog,
and writes peers.md and peers.svg to --results, and search.md and search.svg. Each contest's JSON stays there, and
about.json says which commit it was measured at; --draw makes table and plot from them again, without running anything.
A contest that fails is said at the end and costs none of the others. With the defaults, about 25 minutes on two cores,
a third of it Keras training for 20 epochs.
"""

import argparse
import html
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONTESTS = ("encode", "train", "catalog", "whole_train", "search")
PEER_NAMES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch", "keras": "Keras"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=pathlib.Path)
    parser.add_argument("--search", nargs="+", metavar=("CATALOG", "ROWS"), help="the contest of search too")
    parser.add_argument("--data", default="", help="what that catalog holds, for search.md")
    parser.add_argument("--only", default=",".join(CONTESTS), help="which contests (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="of each but the whole training")
    parser.add_argument("--whole-rounds", type=int, default=1, help="of the whole training")
    parser.add_argument("--epochs", type=int, default=20, help="of the whole training")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / ".venv-peers", help="default .venv-peers")
    parser.add_argument("--draw", action="store_true", help="from the JSON files in --results")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench" / "results",
                        help="default bench/results")
    arguments = parser.parse_args()
    if not arguments.draw and arguments.photos is None:
        parser.error("name PHOTOS, or --draw what was measured before")
    if arguments.search and len(arguments.search) < 2:
        parser.error("--search takes a catalog and how many rows of it")
    if arguments.only == "search" and not arguments.search:
        parser.error("--only search needs --search CATALOG ROWS")
    if unknown := set(arguments.only.split(",")) - set(CONTESTS):
        parser.error(f"--only knows {', '.join(CONTESTS)}, not {', '.join(sorted(unknown))}")
    return arguments


def commands(arguments):
    """Name of the JSON file, one of CONTESTS -> scripts and their arguments, one after the other."""
    photos, rounds = arguments.photos, ["--rounds", arguments.rounds]
    found = {"encode": [["encode.py", *rounds]], "train": [["train.py", *rounds]],
             "catalog": [["catalog.py", "encode", photos, *rounds]],
             "whole_train": [["catalog.py", "train", photos, "--epochs", arguments.epochs, "--rounds",
                              arguments.whole_rounds]]}
    if arguments.search:
        catalog, *sizes = arguments.search
        found["search"] = [["search.py", catalog, "--rows", rows, "--all-pairs", "--data", arguments.data, *rounds]
                           for rows in sizes]
    return {name: scripts for name, scripts in found.items() if name in arguments.only.split(",")}


def about_of(folder):
    file = folder / "about.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def measure(arguments):
    """-> the contests that failed."""
    python = arguments.venv.resolve() / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", arguments.venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", ROOT / "tools" / "requirements-peers.txt"],
                       check=True)
    arguments.results.mkdir(parents=True, exist_ok=True)
    about = about_of(arguments.results)
    about["system"] = system()
    about["versions"] = versions_of(python)
    commit = output_of(["git", "describe", "--always", "--dirty"]).strip()  # before results change the tree
    failed = []
    for name, scripts in commands(arguments).items():
        print(f"{name} ...", file=sys.stderr)
        kept = arguments.results / f"{name}.json"
        kept.unlink(missing_ok=True)  # search adds to it, and a failure must not show what was before
        for words in scripts:
            command = [python, HERE / words[0], *words[1:], "--json", kept]
            if subprocess.run(list(map(str, command)), check=False).returncode != 0:
                failed.append(name)
                break
        about.setdefault("commits", {})[name] = commit
        (arguments.results / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if name == "search" and kept.exists():
            subprocess.run([python, HERE / "search.py", "--page", kept], check=True)
    return failed


def output_of(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def system():
    lines = pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    release = dict(line.split("=", 1) for line in lines if "=" in line)["PRETTY_NAME"].strip('"')
    return f"{release}, {output_of(['c++', '--version']).splitlines()[0]}"


def versions_of(python):
    wanted = ("keras", "tensorflow", "torch", "faiss-cpu", "scikit-learn", "numpy")
    packages = json.loads(output_of([python, "-m", "pip", "list", "--format=json"]))
    return {package["name"]: package["version"] for package in packages if package["name"] in wanted}


def rounds_text(count):
    return f"{count} round{'s' if count > 1 else ''}"


def rows_of(result):
    """One contest -> rows of work, peer, ours, theirs, ratio, how."""
    if "results" in result:
        return search_rows(result)
    if "sides" in result:
        first, *peers = result["sides"]
        return [(f"{result['work']}, in memory", PEER_NAMES.get(side["side"], side["side"]),
                 f"{first['images_per_second']:,.0f}/s", f"{side['images_per_second']:,.0f}/s", side["ratio"],
                 f"{side['setting'] or 'plain'}, {rounds_text(result['rounds'])}") for side in peers]
    epochs = f", {result['epochs']} epochs" if "epochs" in result else ""
    work = {"encode": "photos to a catalog", "train": "photos to a model"}[result["work"]]
    ours, keras = (statistics.median(result["seconds"][side]) for side in ("ours", "keras"))
    how = (f"{result['keras_setting'] or 'plain'}, {rounds_text(result['rounds'])}; {result['ratio_without_loading']:.2f} "
           "without the loading of its libraries")
    return [(f"{work}, {result['photos']:,} files{epochs}", "Keras", f"{ours:.2f} s", f"{keras:.2f} s",
             result["ratio"], how)]


def search_rows(result):
    found = []
    for catalog in result["results"]:
        sides = catalog["sides"]
        for count in sides["sketches"]:
            ours = sides["sketches"][count]
            work = f"{result['k']} nearest of {catalog['rows']:,}, {count} quer{'y' if count == '1' else 'ies'}"
            for peer in ("FAISS", "scikit-learn"):
                if peer in sides:
                    times = sides[peer][count]
                    # Each round's own ratio, as in the other contests.
                    ratio = statistics.median(theirs / mine for theirs, mine in zip(times, ours))
                    found.append((work, peer, f"{statistics.median(ours):,.4g} ms",
                                  f"{statistics.median(times):,.4g} ms", ratio, f"plain, {rounds_text(len(times))}"))
    return found


def table(rows, machine, about):
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    lines = ["# Beside the peers", "",
             f"{machine['processor']}, {machine['threads']} threads, {about.get('system', 'system not noted')}; "
             f"{versions or 'versions not noted'}.",
             "Sides by turns, medians, ratios as medians of each round's own, every peer at the best of the settings "
             "that the scripts try. Made by `bench/peers/all.py PHOTOS --search CATALOG ROWS ...`.", "",
             "![ratios](peers.svg)", "",
             "| work | peer | ours | peer's | ratio | setting | commit |", "|---|---|---|---|---|---|---|"]
    lines += [f"| {work} | {peer} | {ours} | {theirs} | {ratio:.2f} | {how} | {commit} |"
              for work, peer, ours, theirs, ratio, how, commit in rows]
    return "\n".join(lines) + "\n"


def plot(rows):
    """Horizontal bars on a logarithmic axis: how many times as fast as the peer."""
    bar, gap, left, width = 18, 10, 400, 860
    decades = max(1.0, math.log10(max(row[4] for row in rows)))
    scale = (width - left - 120) / decades
    one = left + 40  # room for a peer that is faster
    height = len(rows) * (bar + gap) + gap
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
             '<rect width="100%" height="100%" fill="#fff"/>']
    for decade in range(int(decades) + 1):
        x = one + decade * scale
        colour = "#ddd" if decade else "#c33"
        parts.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}" stroke="{colour}"/>')
    for i, (work, peer, _, _, ratio, *_) in enumerate(rows):
        y = gap + i * (bar + gap)
        end = max(one + math.log10(ratio) * scale, left)
        parts += [f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{html.escape(f"{work}: {peer}")}</text>',
                  f'<rect x="{min(one, end):.1f}" y="{y}" width="{abs(end - one):.1f}" height="{bar}" fill="#3568a8"/>',
                  f'<text x="{max(one, end) + 6:.1f}" y="{y + 14}">{ratio:.3g} x</text>']
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    arguments = parse_arguments()
    failed = [] if arguments.draw else measure(arguments)
    results = {name: json.loads(file.read_text(encoding="utf-8")) for name in CONTESTS
               if (file := arguments.results / f"{name}.json").exists()}
    if not results:
        raise SystemExit(f"all.py: {arguments.results} holds no results, measure first")
    about = about_of(arguments.results)
    commits = about.get("commits", {})
    rows = [(*row, commits.get(name, "not noted")) for name, result in results.items() for row in rows_of(result)]
    machine = next(iter(results.values()))
    (arguments.results / "peers.md").write_text(table(rows, machine, about), encoding="utf-8")
    (arguments.results / "peers.svg").write_text(plot(rows), encoding="utf-8")
    print(os.path.relpath(arguments.results / "peers.md"))
    if failed:
        raise SystemExit(f"all.py: failed, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
