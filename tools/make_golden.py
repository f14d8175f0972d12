#!/usr/bin/env python3
"""Makes a golden case again: runs the article's autoencoder in Keras, in float64, on given images and weights.

    python3 -m venv .venv-golden
    .venv-golden/bin/pip install tensorflow==2.21.0 keras==3.15.1
    .venv-golden/bin/python tools/make_golden.py tests/golden/photos /tmp/photos
    .venv-golden/bin/python tools/make_golden.py tests/golden/photos --check

`four` is the two photos, the first mirrored and the second upside down, with the weights of `photos`. It is there for
its ten steps and keeps no activations.

CASE holds images.npy (N, 150, 150, 3), uint8, and weights/enc1.kernel.npy ... dec4.bias.npy, float32. Written to
OUT, as float32 rounded from float64: activations/, gradients/, weights_after_10_adam_steps/, and case.json with the
losses before each step and after the last, and with how far the same run in float32 strays from float64.

--check writes nothing and compares with what CASE holds. The float64 tensors come out the same but for their last
bits anywhere; the float32 errors depend on the processor, so they are printed beside the stored ones, not judged.
"""

import argparse
import json
import os
import pathlib
import sys

del sys.path[0]  # this folder, whose keras.py is not the library
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf

STEPS = 10
ADAM = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07}
CONVOLUTIONS = {"enc1": 16, "enc2": 8, "enc3": 8, "dec1": 8, "dec2": 8, "dec3": 16, "dec4": 3}
TENSORS = [f"{name}.{part}" for name in CONVOLUTIONS for part in ("kernel", "bias")]
ACTIVATIONS = ["pool1", "pool2", "pool3", "dec1", "dec2", "dec3", "output"]


def build():
    """The model of the article, and one that also gives the activations (before upsampling in the decoder)."""

    def convolution(name, x, activation="relu"):
        return keras.layers.Conv2D(CONVOLUTIONS[name], 3, padding="same", activation=activation, name=name)(x)

    images = keras.Input((150, 150, 3), dtype=keras.config.dtype_policy().compute_dtype)
    x = keras.layers.ZeroPadding2D(1)(images)
    taps = []
    for name in ("enc1", "enc2", "enc3"):
        x = keras.layers.MaxPooling2D(2, padding="same")(convolution(name, x))
        taps.append(x)
    for name in ("dec1", "dec2", "dec3"):
        x = convolution(name, x)
        taps.append(x)
        x = keras.layers.UpSampling2D(2)(x)
    x = keras.layers.Cropping2D(1)(convolution("dec4", x, "sigmoid"))
    taps.append(x)
    return keras.Model(images, x), keras.Model(images, taps)


def run(images, weights, dtype):
    """All results of one run in the given precision, by name."""
    # Layers and loss in this precision; the learning rate stays in float32, as in every Keras run by default.
    keras.config.set_dtype_policy(dtype)
    model, tapped = build()
    model.set_weights([weights[name].astype(dtype) for name in TENSORS])
    x = tf.constant(images.astype(dtype) / np.asarray(255, dtype))
    loss = keras.losses.BinaryCrossentropy(dtype=dtype)
    optimizer = keras.optimizers.Adam(**ADAM)

    results = {f"activations/{name}": value.numpy() for name, value in zip(ACTIVATIONS, tapped(x))}
    losses = []
    for step in range(STEPS):
        with tf.GradientTape() as tape:
            value = loss(x, model(x))
        losses.append(float(value))
        gradients = tape.gradient(value, [v.value for v in model.trainable_variables])
        if step == 0:
            for name, gradient in zip(TENSORS, gradients):
                results[f"gradients/{name}"] = gradient.numpy()
        optimizer.apply(gradients, model.trainable_variables)
    losses.append(float(loss(x, model(x))))
    for name, value in zip(TENSORS, model.get_weights()):
        results[f"weights_after_10_adam_steps/{name}"] = value
    return results, losses


def error_name(path):
    folder, name = path.split("/")
    return {"activations": name, "gradients": f"gradient {name}"}.get(folder, f"after_adam {name}")


def distance(a, b):
    return float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))))


def make(case):
    images = np.load(case / "images.npy")
    if images.dtype != np.uint8 or images.shape[1:] != (150, 150, 3):
        sys.exit(f"{case}/images.npy is {images.dtype} {images.shape}, not uint8 (N, 150, 150, 3)")
    weights = {name: np.load(case / "weights" / f"{name}.npy") for name in TENSORS}
    exact, losses = run(images, weights, "float64")
    single, single_losses = run(images, weights, "float32")
    errors = {"losses": distance(losses, single_losses)}
    errors.update({error_name(path): distance(exact[path], single[path]) for path in exact})
    facts = {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "adam_steps": STEPS,
        "losses": losses,
        "loss": "binary cross-entropy, mean over N, H, W, C, probabilities clipped to [1e-7, 1 - 1e-7]",
        "adam": ADAM,
        "layout": "images and activations NHWC, kernels HWIO, channels in the order of `images`",
        "keras_float32_max_abs_error": errors,
    }
    return images, weights, exact, facts


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array))


def check(case, exact, facts):
    stored = json.loads((case / "case.json").read_text())
    failures = 0
    for path, value in exact.items():
        if path.startswith("activations/") and not (case / "activations").exists():
            continue
        kept = np.load(case / f"{path}.npy")
        name = error_name(path)
        # One unit in the last place of the stored float32, of the largest value.
        allowed = float(np.max(np.abs(kept))) * 2.0**-23
        error = distance(kept, value)
        good = kept.shape == value.shape and error <= allowed
        failures += not good
        print(f"{'same' if good else 'DIFFERS':8} {name:26} {error:.2e}  float32 strays by "
              f"{facts['keras_float32_max_abs_error'][name]:.2e}, stored "
              f"{stored['keras_float32_max_abs_error'][name]:.2e}")
    error = distance(stored["losses"], facts["losses"])
    failures += not error <= 1e-9
    print(f"{'same' if error <= 1e-9 else 'DIFFERS':8} {'losses':26} {error:.2e}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=pathlib.Path, metavar="CASE")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--no-activations", action="store_true", help="write the rest")
    options = parser.parse_args()
    if options.check == (options.out is not None):
        parser.error("give OUT or --check")
    images, weights, exact, facts = make(options.case)
    if options.check:
        sys.exit(1 if check(options.case, exact, facts) else 0)
    save(options.out / "images.npy", images)
    for name, value in weights.items():
        save(options.out / "weights" / f"{name}.npy", value)
    for path, value in exact.items():
        if options.no_activations and path.startswith("activations/"):
            continue
        save(options.out / f"{path}.npy", value.astype(np.float32))
    (options.out / "case.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
