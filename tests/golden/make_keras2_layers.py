"""Write tests/golden/keras2_layers.npz: what layers of Keras 2 return for given weights.

In the environment of make_alibi_detect.py, from the root of the repository::

    golden-env/bin/python tests/golden/make_keras2_layers.py tests/golden/keras2_layers.npz
"""

import json
import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf

L = tf.keras.layers
RNG = np.random.default_rng(0)
SHAPES = FLAT, SERIES, IMAGE = (7,), (6, 3), (6, 6, 2)
ACTIVATIONS = (
    *("elu", "exponential", "gelu", "linear", "mish", "relu", "selu", "sigmoid", "softmax"),
    *("softplus", "softsign", "swish", "tanh", tf.nn.leaky_relu, tf.nn.relu6),
)
CASES = [
    *((L.Activation(name), FLAT) for name in ACTIVATIONS),
    *((L.Dense(3, activation=name), FLAT) for name in ACTIVATIONS),
    (L.Dense(3, use_bias=False), FLAT),
    (L.Dense(3), SERIES),
    (L.Conv1D(4, 3, padding="causal", dilation_rate=2), SERIES),
    (L.Conv1D(4, 3, strides=2, padding="same", activation="relu"), SERIES),
    (L.Conv2D(4, (3, 2), strides=2, padding="same", groups=2), IMAGE),
    (L.Conv2D(4, 3, dilation_rate=2, use_bias=False), IMAGE),
    (L.Conv1DTranspose(4, 3, strides=2, padding="same"), SERIES),
    (L.Conv1DTranspose(4, 3, strides=2, padding="valid"), SERIES),
    (L.Conv2DTranspose(4, 3, strides=2, padding="same"), IMAGE),
    (L.Conv2DTranspose(4, (2, 3), strides=(2, 1), padding="valid"), IMAGE),
    (L.MaxPooling1D(2), SERIES),
    (L.MaxPooling2D(3, strides=2, padding="same"), IMAGE),
    (L.AveragePooling1D(2, strides=1, padding="same"), SERIES),
    (L.AveragePooling2D((2, 3), padding="same"), IMAGE),
    (L.GlobalMaxPooling1D(), SERIES),
    (L.GlobalMaxPooling2D(keepdims=True), IMAGE),
    (L.GlobalAveragePooling1D(keepdims=True), SERIES),
    (L.GlobalAveragePooling2D(), IMAGE),
    (L.UpSampling1D(2), SERIES),
    (L.UpSampling2D((2, 3)), IMAGE),
    (L.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    (L.ZeroPadding1D((1, 2)), SERIES),
    (L.ZeroPadding2D(((1, 0), (2, 1))), IMAGE),
    (L.Cropping1D((1, 2)), SERIES),
    (L.Cropping2D(((1, 0), (2, 1))), IMAGE),
    (L.Flatten(), IMAGE),
    (L.Reshape((3, -1)), SERIES),
    (L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), FLAT),
    (L.LeakyReLU(), FLAT),
    (L.LeakyReLU(0.1), FLAT),
    (L.ELU(0.5), FLAT),
    (L.Softmax(), FLAT),
    (L.Softmax(axis=1), SERIES),
    (L.Dropout(0.5), FLAT),
    (L.GaussianNoise(0.5), FLAT),
    (L.BatchNormalization(), FLAT),
    (L.BatchNormalization(axis=1, epsilon=0.1, center=False), IMAGE),
    (L.BatchNormalization(scale=False), IMAGE),
    (L.LayerNormalization(), SERIES),
    (L.LayerNormalization(axis=[1, 2], epsilon=0.1), SERIES),
]


def main(path):
    rows = {shape: RNG.normal(size=(3, *shape)).astype(np.float32) for shape in SHAPES}
    index, arrays = [], {f"rows {SHAPES.index(shape)}": x for shape, x in rows.items()}
    for number, (layer, shape) in enumerate(CASES):
        x = rows[shape]
        layer(x)
        # Positive, because a variance is among them.
        values = [RNG.uniform(0.1, 1.0, w.shape).astype(np.float32) for w in layer.weights]
        layer.set_weights(values)
        names = [w.name.rpartition("/")[2].partition(":")[0] for w in layer.weights]
        net = tf.keras.Sequential([layer])
        net.build((None, *shape))
        stored = json.loads(net.to_json())["config"]["layers"][-1]
        index.append({**stored, "weights": names, "rows": SHAPES.index(shape)})
        arrays[f"{number} y"] = layer(x).numpy()
        arrays.update({f"{number} {n}": v for n, v in zip(names, values, strict=True)})
    np.savez_compressed(path, index=json.dumps(index), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
