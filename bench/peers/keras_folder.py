"""Keras's side of catalog.py: JPEG files to codes, or to a trained network, as its own guides do it.

Says on standard output how long its libraries took to load.
"""

import argparse
import os
import pathlib
import sys
import time

START = time.perf_counter()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow reads this when it is imported; its own default depends on the processor.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if "--onednn" in sys.argv else "0"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "lib"))

import keras
import numpy as np
import tensorflow as tf

import article


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=("encode", "train"))
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--batch", type=int, default=128, help="of encode")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--onednn", action="store_true")
    parser.add_argument("--private-threads", type=int, help="of the reading alone (default: TensorFlow's own)")
    return parser.parse_args()


def photos(folder, batch, arguments):
    found = keras.utils.image_dataset_from_directory(folder, labels=None, batch_size=batch, shuffle=False,
                                                     image_size=(article.IMAGE_SIZE, article.IMAGE_SIZE),
                                                     verbose=False)
    if arguments.private_threads:
        options = tf.data.Options()
        options.threading.private_threadpool_size = arguments.private_threads
        found = found.with_options(options)
    return found


def encode(arguments):
    encoder = article.keras_encoder(keras, article.keras_autoencoder(keras))
    step = tf.function(lambda images: encoder(images, training=False), reduce_retracing=True)
    batches = photos(arguments.photos, arguments.batch, arguments).prefetch(tf.data.AUTOTUNE)
    np.save(arguments.output, np.concatenate([step(images).numpy() for images in batches]))


def train(arguments):
    def pairs(folder, shuffled):
        # Decoded once, kept as bytes.
        kept = photos(folder, None, arguments).map(lambda image: tf.cast(tf.round(image), tf.uint8),
                                        num_parallel_calls=tf.data.AUTOTUNE).cache()
        if shuffled:
            kept = kept.shuffle(10_000, seed=1)
        scaled = kept.batch(32).map(lambda images: (tf.cast(images, tf.float32), tf.cast(images, tf.float32) / 255.0),
                                    num_parallel_calls=tf.data.AUTOTUNE)
        return scaled.prefetch(tf.data.AUTOTUNE)

    keras.utils.set_random_seed(1)
    model = article.keras_autoencoder(keras)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", jit_compile=False)
    model.fit(pairs(arguments.photos / "train", True), validation_data=pairs(arguments.photos / "validation", False),
              epochs=arguments.epochs, verbose=0)
    model.save_weights(arguments.output.replace(".npy", ".weights.h5"))


def main():
    arguments = parse_arguments()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    print(time.perf_counter() - START, flush=True)
    (encode if arguments.work == "encode" else train)(arguments)


if __name__ == "__main__":
    main()
