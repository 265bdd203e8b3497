"""Write the artefacts in tests/golden/alibi_detect with alibi-detect as published.

Only its public interface is used. In an environment of its own, from the root of the repository::

    python3.11 -m venv golden-env && golden-env/bin/pip install "alibi-detect[tensorflow]==0.13.0"
    golden-env/bin/python - tests/golden/alibi_detect < tests/golden/make_alibi_detect.py

The program is read from the standard input so that the stored feature function, whose code
object names its file, names no path of the machine. Each folder gets what `save_detector` wrote,
without the checkpoints, which repeat the weights, and the rows and scores of the detector.
"""

import os
import shutil
import sys
from pathlib import Path

# Saving fails on Keras 3.
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
from alibi_detect.od import OutlierAEGMM, OutlierVAEGMM
from alibi_detect.saving import save_detector

L = tf.keras.layers
RNG = np.random.default_rng(0)


def sequential(shape, *layers):
    return tf.keras.Sequential([L.InputLayer(input_shape=shape), *layers])


def tabular_nets(n_recon):
    return {
        "encoder_net": sequential((6,), L.Dense(8, activation=tf.nn.tanh), L.Dense(2)),
        "decoder_net": sequential((2,), L.Dense(8, activation=tf.nn.tanh), L.Dense(6)),
        "gmm_density_net": sequential(
            (2 + n_recon,),
            L.Dense(6, activation=tf.nn.tanh, kernel_regularizer=tf.keras.regularizers.l2(1e-3)),
            L.Dropout(0.5),
            L.Dense(2, activation=tf.nn.softmax),
        ),
    }


def image_nets():
    return {
        "encoder_net": sequential(
            (8, 8, 1),
            L.Conv2D(3, 3, padding="same"),
            L.BatchNormalization(),
            L.LeakyReLU(),
            L.AveragePooling2D(2),
            L.Conv2D(4, 3, strides=2, padding="same", activation="elu"),
            L.Flatten(),
            L.LayerNormalization(),
            L.Dense(2),
        ),
        "decoder_net": sequential(
            (2,),
            L.Dense(16, activation="swish"),
            L.Reshape((2, 2, 4)),
            L.Conv2DTranspose(3, 3, strides=2, padding="same", activation=tf.nn.relu),
            L.UpSampling2D(2),
            L.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ),
        "gmm_density_net": sequential((4,), L.Dense(5, activation="gelu"), L.Dense(2), L.Softmax()),
    }


def residuals(x, x_recon):
    return tf.stack(
        [tf.reduce_mean((x - x_recon) ** 2, axis=1), tf.reduce_max(x - x_recon, axis=1)], axis=1
    )


def write(folder, detector, rows, n_expected):
    detector.fit(rows[:300], epochs=3, batch_size=100, verbose=False)
    detector.infer_threshold(rows, threshold_perc=90)
    save_detector(detector, str(folder))
    for path in [folder / "model" / "checkpoint", *(folder / "model").glob("*.ckpt.*")]:
        path.unlink()
    rows = rows[-n_expected:]
    np.savez_compressed(
        folder / "expected.npz",
        rows=rows,
        scores=detector.score(rows),
        threshold=detector.threshold,
        is_outlier=detector.predict(rows)["data"]["is_outlier"],
        phi=detector.phi,
        mu=detector.mu,
        cov=detector.cov,
        L=detector.L,
        log_det_cov=detector.log_det_cov,
    )


def main(out):
    tf.random.set_seed(0)
    table = (RNG.normal(size=(400, 6)) @ RNG.normal(size=(6, 6))).astype(np.float32)
    table[350:] *= np.float32(3.0)
    images = RNG.uniform(size=(400, 8, 8, 1)).astype(np.float32)
    settings = {"n_gmm": 2, "data_type": "tabular"}
    write(out / "tabular", OutlierAEGMM(**tabular_nets(2), **settings), table, 100)
    own = OutlierAEGMM(**tabular_nets(2), recon_features=residuals, **settings)
    write(out / "own_features", own, table, 100)
    write(out / "images", OutlierAEGMM(**image_nets(), n_gmm=2, data_type="image"), images, 30)
    vae = OutlierVAEGMM(**tabular_nets(2), latent_dim=2, **settings)
    vae.fit(table[:300], epochs=1, batch_size=100, verbose=False)
    save_detector(vae, str(out / "variational"))
    shutil.rmtree(out / "variational" / "model")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
