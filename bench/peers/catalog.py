#!/usr/bin/env python3
"""Whole tasks from JPEG files: ours and Keras by turns, each run a process of its own, medians.

  bench/peers/catalog.py encode PHOTOS    a folder of photos -> a finished catalog; Keras: its codes as one .npy
  bench/peers/catalog.py train PHOTOS     PHOTOS holds train/ and validation/; both train on the same photos

Start-up counts for both sides, from the first instruction to the files on disk. Keras reads with
image_dataset_from_directory, prefetches, keeps decoded photos in memory while it trains, and takes the best of the
settings below that its first runs show. Needs the virtual environment of tools/requirements-peers.txt and
build/lookalike. Whole trainings take Keras long: its settings are tried with one epoch.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEER = HERE / "keras_folder.py"

import contest

# Of image_dataset_from_directory, which reads and decodes in parallel as it sees fit and is prefetched. Other
# interpolations are as fast; without oneDNN, encoding takes more than twice as long.
KERAS_SETTINGS = {"encode": [["--batch", "128", "--onednn"], ["--batch", "64", "--onednn"],
                             ["--batch", "32", "--onednn"], ["--batch", "128", "--onednn", "--private-threads", "2"]],
                  "train": [["--onednn"], []]}
TRIALS = 2  # of each setting, the faster one counts


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("encode", "train"))
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20, help="of train")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both sides")
    parser.add_argument("--setting", help="Keras's, one of those printed: the others are not tried")
    parser.add_argument("--program", default=str(ROOT / "build" / "lookalike"), help="default build/lookalike")
    parser.add_argument("--json", help="write the result here too")
    return parser.parse_args()


def ours(arguments, folder, model):
    if arguments.work == "encode":
        return [arguments.program, "encode", arguments.photos, "-m", model, "-o", folder / "catalog", "--quiet",
                "--threads", arguments.threads]
    return [arguments.program, "train", arguments.photos / "train", "--validation", arguments.photos / "validation",
            "--fit", "stretch", "--epochs", arguments.epochs, "-o", folder / "model", "--quiet", "--threads",
            arguments.threads]


def keras(arguments, folder, setting, epochs):
    return [sys.executable, PEER, arguments.work, arguments.photos, "-o", folder / "keras.npy", "--epochs", epochs,
            "--threads", arguments.threads, *setting]


def seconds(command):
    """-> whole time, and of that the loading of libraries where the command says it."""
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return taken, float(done.stdout or 0)


def run(command_of):
    """In a folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return seconds(command_of(pathlib.Path(folder)))


def choose_setting(arguments):
    settings = [arguments.setting.split()] if arguments.setting is not None else KERAS_SETTINGS[arguments.work]
    if len(settings) == 1:
        return settings[0]
    run(lambda folder: keras(arguments, folder, settings[0], 1))  # the first one reads libraries and photos from disk
    trials = {}
    for _ in range(TRIALS):
        for setting in map(tuple, settings):
            taken, _ = run(lambda folder, setting=setting: keras(arguments, folder, setting, 1))
            trials[setting] = min(taken, trials.get(setting, taken))
    for setting, taken in trials.items():
        print(f"  keras, {' '.join(setting) or 'plain'}: {taken:.1f} s", file=sys.stderr)
    return list(min(trials, key=trials.get))


def main():
    arguments = parse_arguments()
    setting = choose_setting(arguments)
    times = {"ours": [], "keras": [], "keras_loading": []}
    with tempfile.TemporaryDirectory() as kept:
        model = pathlib.Path(kept, "model")
        if arguments.work == "encode":
            seconds([arguments.program, "train", arguments.photos, "--epochs", "1", "--quiet", "--fit", "stretch", "-o",
                     model])
        for _ in range(arguments.rounds):
            times["ours"].append(run(lambda folder: ours(arguments, folder, model))[0])
            taken, loading = run(lambda folder: keras(arguments, folder, setting, arguments.epochs))
            times["keras"].append(taken)
            times["keras_loading"].append(loading)
            print(f"  ours {times['ours'][-1]:.2f} s, keras {times['keras'][-1]:.2f} s", file=sys.stderr)
    ratio = statistics.median(k / o for k, o in zip(times["keras"], times["ours"]))
    working = statistics.median((k - l) / o for k, l, o in zip(times["keras"], times["keras_loading"], times["ours"]))
    photos = sum(1 for path in arguments.photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    result = {"work": arguments.work, "photos": photos, "threads": arguments.threads, "rounds": arguments.rounds,
              "processor": contest.processor(), "keras_setting": " ".join(setting), "seconds": times, "ratio": ratio,
              "ratio_without_loading": working}
    if arguments.work == "train":
        result["epochs"] = arguments.epochs
    print(f"{arguments.work}, {photos} photos, {arguments.threads} threads, {contest.processor()}: ours "
          f"{statistics.median(times['ours']):.2f} s, Keras {statistics.median(times['keras']):.2f} s "
          f"({' '.join(setting) or 'plain'}), ratio {ratio:.2f}, {working:.2f} without the loading of its libraries "
          f"({statistics.median(times['keras_loading']):.2f} s); medians of {arguments.rounds}")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
