"""Exact search of a catalog's codes: sketches, the plain scan, FAISS's IndexFlatL2 and scikit-learn's brute force.

.venv-peers/bin/python bench/peers/search.py CATALOG --rows 70000 --json bench/results/search.json
.venv-peers/bin/python bench/peers/search.py --page bench/results/search.json

All sides hold the same codes in memory and take turns; medians of the rounds. Results of other catalog sizes that the
JSON file holds stay. --page writes a page and its plot beside it, with what about.json there says.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import contest

SIDES = ("sketches", "plain scan", "FAISS", "scikit-learn")
K = 10
# Of each measurement: a thousand queries once, single ones for half a second.
WORK = ((1000, 0.0), (1, 0.5))


def command_of(side, options, rows):
    common = [options.catalog, "-k", K, "--threads", options.threads, "--rows", rows]
    if side in ("sketches", "plain scan"):
        return [options.program, *common, *([] if side == "sketches" else ["--numbers", 0])]
    return [sys.executable, contest.HERE / "search_peer.py", options.catalog, side.lower(), *common[1:]]


class Entrant:
    def __init__(self, side, options, rows):
        self.side, self.times = side, {count: [] for count, _ in WORK}
        self.process = subprocess.Popen(list(map(str, command_of(side, options, rows))), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.facts = self.answer()
        if self.facts["rows"] != rows:
            raise SystemExit(f"{options.catalog} has {self.facts['rows']:,} rows, {rows:,} are wanted")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.side} has stopped, see above")
        return json.loads(line)

    def ask(self, count, seconds):
        self.process.stdin.write(f"{count} {seconds}\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def measure(options, rows):
    entrants = [Entrant(side, options, rows) for side in options.sides.split(",")]
    first = {entrant.side: entrant.ask(20, 0)["first"] for entrant in entrants}
    for side, found in first.items():
        # Floats may exchange the last ones.
        if len(set(found) & set(first[entrants[0].side])) < K - 1:
            raise SystemExit(f"{side} finds {found}, {entrants[0].side} {first[entrants[0].side]}")
    for _ in range(options.rounds):
        for count, seconds in WORK:
            for entrant in entrants:
                entrant.times[count].append(entrant.ask(count, seconds)["milliseconds"])
    result = {"rows": rows, "build_seconds": entrants[0].facts.get("build_seconds"), "sides": {}}
    if options.all_pairs:
        faiss = next(entrant for entrant in entrants if entrant.side == "FAISS")
        start = time.perf_counter()
        faiss.ask(rows // 20, 0)
        result["faiss_five_percent_seconds"] = time.perf_counter() - start
    for entrant in entrants:
        entrant.stop()
        result["sides"][entrant.side] = {str(count): entrant.times[count] for count, _ in WORK}
    return result


def medians(result, count):
    return {side: statistics.median(times[str(count)]) for side, times in result["sides"].items()}


def table(results):
    lines = ["| rows | queries | " + " | ".join(SIDES) + " | FAISS / sketches |", "|---" * (len(SIDES) + 3) + "|"]
    for result in results:
        for count, _ in WORK:
            times = medians(result, count)
            shown = [f"{times[side]:,.4g} ms" if side in times else "" for side in SIDES]
            ratio = times["FAISS"] / times["sketches"] if {"FAISS", "sketches"} <= times.keys() else float("nan")
            lines.append(f"| {result['rows']:,} | {count:,} | " + " | ".join(shown) + f" | {ratio:.1f} |")
    return "\n".join(lines)


def build_table(results):
    """What sketches cost once, beside 5 % of what FAISS takes for the neighbours of all."""
    lines = ["| rows | building the sketches | FAISS, 5 % of the rows as queries | FAISS / sketches |",
             "|---|---|---|---|"]
    for result in results:
        built, faiss = result.get("build_seconds"), result.get("faiss_five_percent_seconds")
        if built and faiss:
            lines.append(f"| {result['rows']:,} | {built:.2f} s | {faiss:.2f} s | {faiss / built:.2f} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def page(content, about):
    results = content["results"]
    versions = ", ".join(f"{name} {about.get('versions', {}).get(name, 'of a version not noted')}"
                         for name in ("faiss-cpu", "scikit-learn"))
    rounds = sorted({len(next(iter(result["sides"].values()))["1"]) for result in results})
    return f"""# Exact search beside FAISS and scikit-learn

{content["processor"]}, {content["threads"]} threads, {about.get("system", "system not noted")}; {versions}; commit
{about.get("commits", {}).get("search", "not noted")}. k = {content["k"]}, codes in memory{content.get("data", "")}.
Sides by turns, medians of {" or ".join(map(str, rounds))} rounds; single queries are other ones each time. Made by
`bench/peers/search.py`. FAISS is `IndexFlatL2`, scikit-learn its brute force; of both only the threads were set.

![milliseconds against rows](search.svg)

{table(results)}

{build_table(results)}
"""


def plot(results, file):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "search", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(WORK), figsize=(8, 3.2))
    for panel, (count, _) in zip(panels, WORK):
        for side in SIDES:
            points = [(r["rows"], medians(r, count)[side]) for r in results if side in r["sides"]]
            panel.plot(*zip(*points), marker="o", label=side)
        panel.set(xscale="log", yscale="log", xlabel="catalog rows", ylabel="ms",
                  title=f"{count:,} quer{'y' if count == 1 else 'ies'}, k = {K}")
        panel.set_xticks([r["rows"] for r in results], [f"{r['rows']:,}" for r in results], minor=False)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", nargs="?")
    parser.add_argument("--rows", type=int, help="the catalog's first ones")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of every side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", default=",".join(SIDES), help="which take part (default: all)")
    parser.add_argument("--all-pairs", action="store_true",
                        help="also time FAISS with 5 %% of the rows as queries, what building sketches is judged by")
    parser.add_argument("--program", default=str(contest.ROOT / "build" / "bench" / "search_rate"))
    parser.add_argument("--json", type=pathlib.Path, help="keep the result here")
    parser.add_argument("--data", help="what the catalog holds, for the page")
    parser.add_argument("--page", type=pathlib.Path, help="of this JSON file, nothing is measured")
    options = parser.parse_args()
    if options.page:
        content = json.loads(options.page.read_text(encoding="utf-8"))
        about = options.page.with_name("about.json")
        about = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
        plot(content["results"], options.page.with_suffix(".svg"))
        options.page.with_suffix(".md").write_text(page(content, about), encoding="utf-8")
        return
    if options.catalog is None or options.rows is None:
        parser.error("a catalog and --rows, or --page")
    result = measure(options, options.rows)
    print(table([result]))
    print(json.dumps({k: v for k, v in result.items() if k != "sides"}))
    if options.json:
        kept = json.loads(options.json.read_text(encoding="utf-8"))["results"] if options.json.exists() else []
        results = sorted([r for r in kept if r["rows"] != options.rows] + [result], key=lambda r: r["rows"])
        content = {"processor": contest.processor(), "threads": options.threads, "k": K, "results": results,
                   "data": f": {options.data}" if options.data else ""}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
