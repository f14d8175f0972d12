"""TensorFlow's side: Keras layers in a tf.function for encoding, Keras's own fit for training."""

import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow reads this when it is imported; its own default depends on the processor.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if "--onednn" in sys.argv else "0"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "lib"))

import keras
import numpy as np
import tensorflow as tf

import article
import model_file
import peer


def autoencoder(arguments):
    flat, offset, weights = np.fromfile(arguments.weights, np.float32), 0, []
    for shape in model_file.SHAPES.values():
        weights.append(flat[offset:offset + np.prod(shape)].reshape(shape))
        offset += np.prod(shape)
    model = article.keras_autoencoder(keras)
    model.set_weights(weights)
    return model


def serve_encode(arguments):
    encoder = article.keras_encoder(keras, autoencoder(arguments))

    @tf.function(jit_compile=arguments.xla,
                 input_signature=[tf.TensorSpec((arguments.batch, 150, 150, 3), tf.uint8)])
    def encode(images):
        return encoder(tf.cast(images, tf.float32), training=False)

    peer.write_codes(arguments, lambda images: encode(images).numpy())
    peer.serve(arguments, lambda images: encode(images).numpy())


def serve_train(arguments):
    model = autoencoder(arguments)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", jit_compile=arguments.xla)
    images = arguments.pixels.astype(np.float32)
    target = images / 255

    def fit(epochs):
        model.fit(images, target, batch_size=arguments.batch, epochs=epochs, verbose=0)

    fit(1)
    for line in sys.stdin:
        done, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < float(line):
            fit(1)
            done += len(images)
        peer.answer(done / elapsed)


def main():
    arguments = peer.parse_arguments()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    (serve_encode if arguments.work == "encode" else serve_train)(arguments)


if __name__ == "__main__":
    main()
