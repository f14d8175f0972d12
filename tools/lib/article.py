"""The article's autoencoder in Keras, and the photos as the network sees them."""

import pathlib

import numpy as np

IMAGE_SIZE = 150


def keras_layers(keras):
    """The layers in order; the seven convolutions are those of model_file.STAGES."""

    def convolution(filters, activation="relu"):
        return keras.layers.Conv2D(filters, 3, padding="same", activation=activation)

    layers = [keras.layers.Rescaling(1 / 255), keras.layers.ZeroPadding2D(1)]
    for filters in (16, 8, 8):
        layers += [convolution(filters), keras.layers.MaxPooling2D(2, padding="same")]
    for filters in (8, 8, 16):
        layers += [convolution(filters), keras.layers.UpSampling2D(2)]
    return layers + [convolution(3, "sigmoid"), keras.layers.Cropping2D(1)]


ENCODER_LAYERS = 8  # scaling, padding, three convolutions and their pools


def keras_autoencoder(keras):
    """(N, 150, 150, 3) bytes, blue green red -> the same, 0 to 1."""
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    outputs = inputs
    for layer in keras_layers(keras):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def keras_encoder(keras, autoencoder):
    """(N, 150, 150, 3) bytes -> codes (N, 2888); shares the autoencoder's weights."""
    code = autoencoder.layers[ENCODER_LAYERS].output
    return keras.Model(autoencoder.input, keras.layers.Flatten()(code))


def keras_fit(keras, images, validation, epochs, batch_size, log=None):
    """Trains as the article does, on bytes (N, 150, 150, 3). Returns the model and its history."""
    import tensorflow as tf

    def batches(data, shuffle):
        dataset = tf.data.Dataset.from_tensor_slices(data)
        if shuffle:
            dataset = dataset.shuffle(len(data), seed=1)
        dataset = dataset.batch(batch_size)
        pair = lambda photos: (tf.cast(photos, tf.float32), tf.cast(photos, tf.float32) / 255.0)
        return dataset.map(pair).prefetch(2)

    keras.utils.set_random_seed(1)
    model = keras_autoencoder(keras)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", jit_compile=False)
    callbacks = [keras.callbacks.CSVLogger(log)] if log else []
    history = model.fit(batches(images, True), validation_data=batches(validation, False), epochs=epochs,
                        verbose=2, callbacks=callbacks)
    return model, history.history


def list_photos(folder):
    """Paths of the folder's photos, in byte order."""
    paths = [path for path in pathlib.Path(folder).rglob("*")
             if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
    return sorted(map(str, paths), key=lambda path: path.encode())


def stretched_photos(folder, limit=None):
    """The folder's (first `limit`) photos as `--fit stretch` makes them: (N, 150, 150, 3)
    bytes, blue green red."""
    import cv2

    photos = []
    for path in list_photos(folder)[:limit]:
        photo = cv2.imread(path, cv2.IMREAD_COLOR)
        if photo is None:
            raise SystemExit(f"{path}: OpenCV cannot read this photo; remove it from the folder")
        height, width = photo.shape[:2]
        shrinks = height >= IMAGE_SIZE and width >= IMAGE_SIZE
        rule = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        photos.append(cv2.resize(photo, (IMAGE_SIZE, IMAGE_SIZE), interpolation=rule))
    return np.stack(photos)


def entropy_floor(photos):
    """No reconstruction has a smaller binary cross-entropy: the mean entropy of the pixels themselves."""
    values = np.arange(256) / 255.0
    inside = values[1:255]
    entropy = np.zeros(256)
    entropy[1:255] = -(inside * np.log(inside) + (1 - inside) * np.log(1 - inside))
    return float((np.bincount(photos.ravel(), minlength=256) * entropy).sum() / photos.size)
