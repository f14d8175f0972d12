"""Makes this folder's files again, with Keras itself (tools/requirements-peers.txt): one network in each layout."""

import pathlib
import sys

import keras
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "lib"))

import article
import model_file

tensors = model_file.glorot_tensors(seed=7)
for name, tensor in tensors.items():
    if name.endswith("bias"):
        tensor += (1 + np.arange(tensor.size)) / 64
model = article.keras_autoencoder(keras)
model.set_weights([tensors[name] for name in model_file.SHAPES])
model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), "binary_crossentropy")
model.optimizer.build(model.trainable_variables)  # its momentum has the shapes of the weights
model_file.write_model(HERE / "expected.safetensors", tensors, "stretch #ffffff")
model.save(HERE / "whole.keras")
model.save(HERE / "whole.h5")
