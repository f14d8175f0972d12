"""Weights in Keras's HDF5 files, read and written without Keras.

Three layouts hold the same fourteen arrays:
  .weights.h5   Keras 3: layers/conv2d/vars/0 (kernel), .../1 (bias), layers/conv2d_1/..., by class and number
  .keras        a zip archive holding such a file as model.weights.h5
  .h5           older: groups named by the attribute layer_names, datasets by each group's weight_names; a whole
                model keeps them under model_weights
Convolutions are matched to the network by their order and shapes, so the names of layers do not matter.
"""

import io
import re
import zipfile

import h5py
import numpy as np

from model_file import STAGES, Refused, check_tensors


def read_keras(path):
    """-> tensors as model_file names them, channels in the file's own order."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read("model.weights.h5"))
        else:
            source = path
        with h5py.File(source, "r") as file:
            arrays = _legacy_arrays(file) if _legacy_root(file) is not None else _layer_arrays(file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise Refused(f"not a Keras weights file: {error}, {path}, "
                      "save it with model.save_weights('x.weights.h5')") from error
    return _by_stage(arrays, path)


def write_keras(path, tensors):
    """`.weights.h5` in Keras 3's layout, any other `.h5` in the older one."""
    with h5py.File(path, "w") as file:
        if str(path).endswith(".weights.h5"):
            _write_layers(file, tensors)
        else:
            _write_legacy(file, tensors)


def _legacy_root(file):
    root = file.get("model_weights", file)
    return root if "layer_names" in root.attrs else None


def _legacy_arrays(file):
    root = _legacy_root(file)
    arrays = []
    for layer in _texts(root.attrs["layer_names"]):
        for weight in _texts(root[layer].attrs["weight_names"]):
            arrays.append((f"{layer}/{weight}", np.asarray(root[layer][weight])))
    return arrays


def _layer_arrays(file):
    arrays = []

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            arrays.append((name, np.asarray(item)))

    file.visititems(visit)
    return sorted(arrays, key=lambda named: _natural(named[0]))


def _by_stage(arrays, path):
    """The arrays in order are kernel, bias, kernel, bias... of the seven stages; scalars (seeds) are not ours."""
    arrays = [(name, array) for name, array in arrays if array.ndim in (1, 4) and array.dtype.kind == "f"]
    if len(arrays) != 2 * len(STAGES):
        raise Refused(f"{len(arrays)} kernels and biases in place of {2 * len(STAGES)}, {path}, "
                      "take a model of the article's network")
    tensors = {}
    for index, stage in enumerate(STAGES):
        # Both orders occur: by number (kernel first) and by name (bias first).
        pair = sorted(arrays[2 * index:2 * index + 2], key=lambda named: -named[1].ndim)
        for kind, (_, array) in zip(("kernel", "bias"), pair):
            tensors[f"{stage}.{kind}"] = np.ascontiguousarray(array, np.float32)
    check_tensors(tensors, path)
    return tensors


def _write_layers(file, tensors):
    for number, stage in enumerate(STAGES):
        name = "conv2d" if number == 0 else f"conv2d_{number}"
        group = file.create_group(f"layers/{name}/vars")
        group["0"] = tensors[f"{stage}.kernel"]
        group["1"] = tensors[f"{stage}.bias"]


def _write_legacy(file, tensors):
    file.attrs["layer_names"] = [stage.encode() for stage in STAGES]
    file.attrs["backend"] = b"tensorflow"
    for stage in STAGES:
        group = file.create_group(stage)
        names = [f"{stage}/{kind}:0" for kind in ("kernel", "bias")]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, kind in zip(names, ("kernel", "bias")):
            group[name] = tensors[f"{stage}.{kind}"]


def _texts(values):
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _natural(name):
    """conv2d before conv2d_2 before conv2d_10."""
    parts = []
    for part in name.split("/"):
        stem, _, number = re.fullmatch(r"(.*?)(_?)(\d*)", part).groups()
        parts.append((stem, int(number) if number else -1))
    return parts
