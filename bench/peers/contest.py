"""Programs that do the same work take turns on one machine; their rates as medians, with ratios.

Every entrant is a process that answers each line "SECONDS" on its standard input with one JSON line holding
images_per_second. Each side first shows its settings once; its best one then takes part in the rounds.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tools" / "lib"))

import model_file

IMAGES = 256
CODE_LENGTH = 2888


class Entrant:
    """One side with one setting."""

    def __init__(self, side, setting, command):
        self.side, self.setting, self.rates = side, setting, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def rate(self, seconds):
        """None where this setting does not work here."""
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())["images_per_second"]
        except (BrokenPipeError, json.JSONDecodeError):
            _, errors = self.process.communicate()
            reason = errors.strip().splitlines()[-1:] or [f"exit code {self.process.returncode}"]
            print(f"  {self.side}, {self.setting}: does not work here: {reason[0]}", file=sys.stderr)
            return None

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of every side")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3, help="of each side in each round")
    parser.add_argument("--sides", default="ours,tensorflow,pytorch", help="which take part (default: all)")
    parser.add_argument("--program", default=str(ROOT / "build" / "bench" / "device_rate"),
                        help="default build/bench/device_rate")
    parser.add_argument("--json", help="write the result here too")
    return parser.parse_args()


def run(work, settings, arguments):
    """settings: {"ours": [...], "tensorflow": [...], "pytorch": [...]}, each a list of command-line options."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = make_inputs(folder)
        codes, entrants = {}, []
        for side in arguments.sides.split(","):
            best = None
            for options in settings[side]:
                codes_file = pathlib.Path(folder, f"{side}.bin")
                command = [*command_of(side, arguments), work, *inputs, *options, "--threads", arguments.threads]
                if work == "encode":
                    command += ["--codes", codes_file]
                entrant = Entrant(side, " ".join(options), list(map(str, command)))
                rate = entrant.rate(2.0)
                if rate is None:
                    continue
                print(f"  {side}, {entrant.setting}: {rate:,.0f} images/s", file=sys.stderr)
                if work == "encode":
                    codes[entrant] = np.fromfile(codes_file, np.float32)
                if best is None or rate > best[0]:
                    entrant, best = (best[1] if best else None), (rate, entrant)
                if entrant:
                    entrant.stop()
            if best is None:
                raise SystemExit(f"{side}: no setting works here, see above, or leave it out with --sides")
            entrants.append(best[1])
        check_codes(codes)
        for _ in range(arguments.rounds):
            for entrant in entrants:
                rate = entrant.rate(arguments.seconds)
                if rate is None:
                    raise SystemExit(f"{entrant.side} stopped in the middle of the rounds, see above")
                entrant.rates.append(rate)
        for entrant in entrants:
            entrant.stop()
    report(work, entrants, arguments)


def make_inputs(folder):
    """The same weights and images for every side."""
    tensors = model_file.glorot_tensors(seed=1)
    weights = pathlib.Path(folder, "weights.bin")
    np.concatenate([tensors[name].ravel() for name in model_file.SHAPES]).tofile(weights)
    images = pathlib.Path(folder, "images.bin")
    np.random.default_rng(1).integers(0, 256, (IMAGES, 150, 150, 3), np.uint8).tofile(images)
    return ["--weights", weights, "--images", images]


def command_of(side, arguments):
    if side == "ours":
        return [arguments.program]
    return [sys.executable, HERE / f"{side}_peer.py"]


def check_codes(codes):
    """All sides must have done the same work: the largest difference, as a share of the largest number."""
    reference = None
    for entrant, values in codes.items():
        reference = values if reference is None else reference
        if values.size != IMAGES * CODE_LENGTH:
            raise SystemExit(f"{entrant.side}, {entrant.setting}: {values.size} numbers, not {IMAGES} codes")
        error = np.abs(values - reference).max() / np.abs(reference).max()
        if not error <= 1e-5:
            raise SystemExit(f"{entrant.side}, {entrant.setting}: its codes differ by {error:.2g}, above 1e-05")


def report(work, entrants, arguments):
    first = entrants[0]
    result = {"work": work, "threads": arguments.threads, "processor": processor(), "rounds": arguments.rounds,
              "seconds": arguments.seconds, "sides": []}
    print(f"\n{work}, {arguments.threads} threads, {processor()}, medians of {arguments.rounds} rounds")
    print(f"{'':12} {'images/s':>10} {'range':>17} {first.side + ' / it':>14}   best setting")
    for entrant in entrants:
        median = statistics.median(entrant.rates)
        # Each round's own ratio: what slows the machine for a while slows both of its sides.
        ratio = statistics.median(a / b for a, b in zip(first.rates, entrant.rates))
        print(f"{entrant.side:12} {median:10,.0f} {min(entrant.rates):8,.0f}-{max(entrant.rates):8,.0f} "
              f"{ratio:14.2f}   {entrant.setting}")
        result["sides"].append({"side": entrant.side, "setting": entrant.setting, "images_per_second": median,
                                "rates": entrant.rates, "ratio": ratio})
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
