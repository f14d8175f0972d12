"""Lookalike's model.safetensors, read and written with numpy and safetensors alone."""

import os
import pathlib

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

try:
    import xxhash
except ImportError:  # the file is then written without a checksum, which the program accepts
    xxhash = None

# name: (input channels, output channels) of each 3x3 convolution, in the order of the data.
STAGES = {
    "enc1": (3, 16),
    "enc2": (16, 8),
    "enc3": (8, 8),
    "dec1": (8, 8),
    "dec2": (8, 8),
    "dec3": (8, 16),
    "dec4": (16, 3),
}
SHAPES = {}
for _stage, (_inputs, _outputs) in STAGES.items():
    SHAPES[f"{_stage}.kernel"] = (3, 3, _inputs, _outputs)  # HWIO
    SHAPES[f"{_stage}.bias"] = (_outputs,)

EXPECTED = {
    "format": "lookalike-model",
    "version": "1",
    "architecture": "lookalike-150",
    "layout": "HWIO",
    "channel_order": "BGR",
    "input_scale": "1/255",
}
CHECKSUM_DIGITS = 32


class Refused(Exception):
    """What is wrong, where, what to do: one line for the person who called."""


def check_tensors(tensors, where):
    for name, shape in SHAPES.items():
        if name not in tensors:
            raise Refused(f"tensor {name} is missing, {where}, take a model of the article's network")
        if tensors[name].shape != shape:
            raise Refused(f"tensor {name} has shape {tensors[name].shape} in place of {shape}, {where}, "
                          "take a model of the article's network")
        if not np.isfinite(tensors[name]).all():
            raise Refused(f"tensor {name} holds a value that is not finite, {where}, train again")
    for name in tensors:
        if name not in SHAPES:
            raise Refused(f"tensor {name} is not one of the network's, {where}, take a model of it")


def swap_channels(tensors):
    """Blue green red <-> red green blue: the input of enc1 and the output of dec4."""
    swapped = dict(tensors)
    swapped["enc1.kernel"] = np.ascontiguousarray(tensors["enc1.kernel"][:, :, ::-1, :])
    swapped["dec4.kernel"] = np.ascontiguousarray(tensors["dec4.kernel"][..., ::-1])
    swapped["dec4.bias"] = np.ascontiguousarray(tensors["dec4.bias"][::-1])
    return swapped


def glorot_tensors(seed):
    """An untrained network: Glorot-uniform kernels, zero biases."""
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, shape in SHAPES.items():
        if len(shape) == 1:
            tensors[name] = np.zeros(shape, np.float32)
        else:
            limit = np.sqrt(6 / (9 * shape[2] + 9 * shape[3]))
            tensors[name] = generator.uniform(-limit, limit, shape).astype(np.float32)
    return tensors


def read_model(path):
    """A file, or a folder holding model.safetensors -> (tensors, metadata); refuses what is not a whole model."""
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "model.safetensors"
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise Refused(f"cannot read the model: {error}, {path}, check the path") from error
    for key, value in EXPECTED.items():
        if metadata.get(key) != value:
            raise Refused(f"metadata {key} is {metadata.get(key)!r} in place of {value!r}, {path}, "
                          "take a model of this program's version")
    _check_checksum(path, metadata)
    check_tensors(tensors, path)
    return tensors, metadata


def write_model(path, tensors, photo_rule, metadata=None):
    """Atomically. photo_rule: "pad #ffffff" and the like; metadata: more keys, text to text."""
    check_tensors(tensors, "before writing")
    known = dict(EXPECTED, loss="binary_crossentropy", epoch="0", validation_loss="0", dataset="")
    known.update(metadata or {}, photo_rule=photo_rule)
    if xxhash:
        known["checksum"] = "0" * CHECKSUM_DIGITS
    contents = save({name: np.ascontiguousarray(tensors[name], np.float32) for name in SHAPES}, known)
    if xxhash:
        contents = contents.replace(_checksum_entry("0" * CHECKSUM_DIGITS),
                                    _checksum_entry(xxhash.xxh3_128_hexdigest(contents)), 1)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _checksum_entry(digits):
    return f'"checksum":"{digits}"'.encode()


def _check_checksum(path, metadata):
    digits = metadata.get("checksum")
    if digits is None or xxhash is None:
        return
    contents = path.read_bytes().replace(digits.encode(), b"0" * CHECKSUM_DIGITS, 1)
    if xxhash.xxh3_128_hexdigest(contents) != digits:
        raise Refused(f"the checksum does not hold, {path}, copy or train the model again")
