#!/usr/bin/env python3
"""Weights to and from Keras.

  keras.py import KERAS_FILE -o MODEL     a Keras model's weights (.weights.h5, .keras, .h5) -> a model of ours
  keras.py export MODEL KERAS_FILE        ours -> .weights.h5, or .h5 in the older layout
  keras.py check MODEL KERAS_FILE PHOTOS  Keras loads the file: same weights, same codes? (tools/requirements-peers.txt)

import and export need numpy, h5py and safetensors (tools/requirements-test.txt), not TensorFlow.
Our models take blue green red, as OpenCV reads photos; most Keras models take red green blue: say which.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# This folder holds keras.py itself, which would hide the library of that name.
sys.path[0] = str(ROOT / "tools" / "lib")

import article
import keras_file
import model_file


def import_weights(arguments):
    tensors = keras_file.read_keras(arguments.keras_file)
    if arguments.channel_order == "rgb":
        tensors = model_file.swap_channels(tensors)
    if not re.fullmatch("#[0-9a-f]{6}", arguments.background):
        raise model_file.Refused(f"--background is {arguments.background!r}, give it as #rrggbb")
    output = pathlib.Path(arguments.output)
    if output.suffix != ".safetensors":
        output /= "model.safetensors"
    if output.exists() and not arguments.force:
        raise model_file.Refused(f"the model exists, {output}, give another -o or --force")
    metadata = {"setting.imported": pathlib.Path(arguments.keras_file).name}
    model_file.write_model(output, tensors, f"{arguments.fit} {arguments.background}", metadata)
    print(output)


def export_weights(arguments):
    tensors, _ = model_file.read_model(arguments.model)
    if arguments.channel_order == "rgb":
        tensors = model_file.swap_channels(tensors)
    keras_file.write_keras(arguments.keras_file, tensors)
    print(arguments.keras_file)


def check(arguments):
    """Keras loads the file: its weights must be the model's, and its codes the program's, on the same pixels."""
    import cv2
    import keras
    import numpy as np

    tensors, _ = model_file.read_model(arguments.model)
    rgb = arguments.channel_order == "rgb"
    autoencoder = article.keras_autoencoder(keras)
    autoencoder.load_weights(arguments.keras_file)
    expected = model_file.swap_channels(tensors) if rgb else tensors
    for name, loaded in zip(model_file.SHAPES, autoencoder.get_weights(), strict=True):
        if not np.array_equal(loaded, expected[name]):
            raise model_file.Refused(f"Keras loaded another {name}, {arguments.keras_file}, export it again")

    photos = article.stretched_photos(arguments.photos, arguments.limit)
    with tempfile.TemporaryDirectory() as work:
        # Photos of the network's own size, without loss: the program then sees exactly these pixels.
        pathlib.Path(work, "photos").mkdir()
        for number, photo in enumerate(photos):
            cv2.imwrite(f"{work}/photos/{number:06d}.png", photo)
        subprocess.run([arguments.program, "encode", f"{work}/photos", "-m", arguments.model, "-o",
                        f"{work}/catalog"], check=True, stdout=subprocess.DEVNULL)
        shards = sorted(pathlib.Path(work, "catalog", "codes").glob("*.npy"))
        ours = np.concatenate([np.load(shard) for shard in shards])
    pixels = photos[..., ::-1] if rgb else photos
    theirs = article.keras_encoder(keras, autoencoder).predict(pixels.astype(np.float32), verbose=0)
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    right = error <= 1e-5  # float32 sums in another order
    print(f"weights equal; {len(photos)} photos, largest difference of their codes {error:.2g} of the largest "
          f"number, {'right' if right else 'WRONG: above 1e-05'}")
    return 0 if right else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    order = dict(choices=("bgr", "rgb"), help="order of the Keras model's channels")

    command = commands.add_parser("import", help="a Keras model's weights -> a model of ours")
    command.add_argument("keras_file")
    command.add_argument("-o", "--output", required=True, help="folder, or file named .safetensors")
    command.add_argument("--channel-order", required=True, **order)
    command.add_argument("--fit", choices=("pad", "crop", "stretch"), default="stretch",
                         help="how photos become square; Keras's loaders stretch (default)")
    command.add_argument("--background", default="#ffffff", help="under padding and transparency, #rrggbb")
    command.add_argument("-f", "--force", action="store_true", help="write over an existing model")
    command.set_defaults(run=import_weights)

    command = commands.add_parser("export", help="ours -> a Keras weights file")
    command.add_argument("model")
    command.add_argument("keras_file")
    command.add_argument("--channel-order", default="bgr", **order)
    command.set_defaults(run=export_weights)

    command = commands.add_parser("check", help="compare Keras with the program (needs TensorFlow)")
    command.add_argument("model")
    command.add_argument("keras_file")
    command.add_argument("photos", help="folder of photos")
    command.add_argument("--channel-order", default="bgr", **order)
    command.add_argument("--limit", type=int, default=64, help="photos compared (default 64)")
    command.add_argument("--program", default=str(ROOT / "build" / "lookalike"), help="default build/lookalike")
    command.set_defaults(run=check)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        return arguments.run(arguments) or 0
    except model_file.Refused as error:
        print(f"keras.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
