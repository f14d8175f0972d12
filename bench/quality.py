#!/usr/bin/env python3
"""How good the results are: our training against Keras's on a folder of labelled photos.

  bench/quality.py CLOTHING -o OUT     CLOTHING holds train/ and validation/, a photo's folder is its label

Prints the loss of our training on validation/ with the least that any network could reach, and precision@5 (the
share of a photo's 5 nearest others with its own label, over all photos) of Keras's trained weights and of our own
network before and after training. First weights are drawn by lot, and an untrained encoder is as good as its luck:
so ours is judged by its mean over --seeds seeds (1, 2, ...), and every seed is printed. Needs the virtual
environment of tools/requirements-peers.txt and build/lookalike. Keras's training (minutes) is kept in OUT, and
--keras-weights takes a file made before.
"""

import argparse
import csv
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "lib"))

import article
import keras_file
import model_file

NEIGHBOURS = 5
RULE = "stretch #ffffff"

# Measured with Keras 3.15.1 on the 3,409 photos of the public "clothing dataset (small)".
LOSS_TARGET = 0.5710
KERAS_PRECISION, KERAS_TOLERANCE = 0.433, 0.003
OWN_PRECISION, OWN_MARGIN = 0.42, 0.015


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=pathlib.Path, help="folder holding train/ and validation/")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder for all that is made")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=8, help="our trainings, seeds 1 to this")
    parser.add_argument("--keras-weights", type=pathlib.Path, help=".weights.h5 of a training done before")
    parser.add_argument("--program", default=str(ROOT / "build" / "lookalike"), help="default build/lookalike")
    return parser.parse_args()


def program(arguments, *words):
    subprocess.run([arguments.program, *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def own_training(arguments, name, seed, *options):
    """-> (model folder, validation loss of the weights it keeps)."""
    model = arguments.output / f"{name}_{seed}"
    program(arguments, "train", arguments.photos / "train", "--validation", arguments.photos / "validation", "--fit",
            "stretch", "--seed", seed, *options, "-o", model)
    with open(model / "metrics.csv", encoding="utf-8") as file:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(file)]
    return model, min(losses)


def keras_training(arguments):
    """-> (model folder, Keras's validation loss or None where the weights were made before)."""
    weights, loss = arguments.keras_weights or arguments.output / "keras.weights.h5", None
    if not weights.exists():
        import keras

        train, validation = (article.stretched_photos(arguments.photos / part) for part in ("train", "validation"))
        model, history = article.keras_fit(keras, train, validation, arguments.epochs, 32)
        model.save_weights(weights)
        loss = history["val_loss"][-1]
    model_file.write_model(arguments.output / "keras" / "model.safetensors", keras_file.read_keras(weights), RULE)
    return arguments.output / "keras", loss


def own_seed(arguments, seed):
    """-> (validation loss, precision before training, precision after)."""
    # The network as its training begins: a step of this size changes no weight that is not zero.
    before, _ = own_training(arguments, "before", seed, "--epochs", 1, "--learning-rate", "1e-30")
    model, loss = own_training(arguments, "own", seed, "--epochs", arguments.epochs)
    return loss, precision(arguments, before), precision(arguments, model)


def precision(arguments, model):
    """Encodes all photos with a model and looks at everyone's nearest others."""
    catalog = arguments.output / f"{model.name}_catalog"
    table = arguments.output / f"{model.name}.csv"
    shutil.rmtree(catalog, ignore_errors=True)
    table.unlink(missing_ok=True)
    program(arguments, "encode", arguments.photos, "-m", model, "-o", catalog)
    program(arguments, "recommend", "-c", catalog, "-k", NEIGHBOURS, "-o", table)
    with sqlite3.connect(catalog / "catalog.sqlite") as ledger:
        labels = dict(ledger.execute("SELECT id, label FROM items"))
    with open(table, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        pairs = [(row[0], row[2]) for row in rows]
    if len(pairs) != NEIGHBOURS * len(labels):
        raise SystemExit(f"{table} has {len(pairs)} rows, not {NEIGHBOURS} for each of {len(labels)} photos")
    return sum(labels[item] == labels[neighbour] for item, neighbour in pairs) / len(pairs)


def main():
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    keras_model, keras_loss = keras_training(arguments)
    keras_precision = precision(arguments, keras_model)
    losses, before, after = zip(*(own_seed(arguments, seed) for seed in range(1, arguments.seeds + 1)))
    floor = article.entropy_floor(article.stretched_photos(arguments.photos / "validation"))

    failures = 0

    def line(name, value, target="", right=True):
        nonlocal failures
        failures += not right
        print(f"{name:48} {value:8.4f}   {target and ('reached: ' if right else 'MISSED: ') + target}")

    line("entropy of the validation pixels (floor)", floor)
    if keras_loss is not None:
        line("validation loss, Keras", keras_loss)
    line("validation loss, ours, worst seed", max(losses), f"at most {LOSS_TARGET:.4f}", max(losses) <= LOSS_TARGET)
    line(f"precision@{NEIGHBOURS}, Keras's weights imported", keras_precision,
         f"{KERAS_PRECISION} within {KERAS_TOLERANCE}",
         abs(keras_precision - KERAS_PRECISION) <= KERAS_TOLERANCE)
    for seed, values in enumerate(zip(before, after), start=1):
        print(f"precision@{NEIGHBOURS}, ours, seed {seed}: {values[0]:.4f} before training, {values[1]:.4f} after")
    margins = [late - early for early, late in zip(before, after)]
    line(f"precision@{NEIGHBOURS}, ours, mean of seeds", statistics.mean(after), f"at least {OWN_PRECISION}",
         statistics.mean(after) >= OWN_PRECISION)
    line("ours above itself before training, mean of seeds", statistics.mean(margins), f"at least {OWN_MARGIN}",
         statistics.mean(margins) >= OWN_MARGIN)
    if len(margins) > 1:
        line("standard error of that mean", statistics.stdev(margins) / len(margins) ** 0.5)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
