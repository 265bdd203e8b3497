"""Detectors of several kinds."""

import numpy as np
import pytest

from aegmm_detect.od import OutlierAEGMM


def _plain(make_nets, rows):
    return OutlierAEGMM(threshold=0.0, **make_nets(dropout=0.2, batch_norm=True)), rows


def _auto(make_nets, rows):
    # Columns as they come: other units, and a middle far from zero.
    return OutlierAEGMM.auto(6, ensemble=2, threshold=0.0, seed=3), 50.0 * rows + 1e3


def _both(make_nets, rows):
    return OutlierAEGMM.auto(6, ensemble=1, threshold=0.0, seed=3, score_type="both"), rows


def _image(make_nets, rows):
    import keras

    layers = keras.layers
    detector = OutlierAEGMM(
        threshold=0.0,
        encoder_net=keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, 2, "same", activation="relu"),
                layers.Flatten(),
                layers.Dense(2),
            ]
        ),
        decoder_net=keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(64),
                layers.Reshape((4, 4, 4)),
                layers.Conv2DTranspose(1, 3, 2, "same"),
            ]
        ),
        gmm_density_net=keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")]),
        normalize="minmax",
    )
    return detector, np.random.default_rng(1).random((300, 8, 8, 1), np.float32)


KINDS = {"plain": _plain, "auto": _auto, "both": _both, "image": _image}


@pytest.fixture(scope="session", params=sorted(KINDS))
def subject(request, make_nets, normal_rows):
    """A fitted detector with a threshold among its scores, and its rows."""
    detector, rows = KINDS[request.param](make_nets, normal_rows)
    detector.fit(rows, epochs=2, verbose=0, seed=0, jit_compile=False)
    detector.infer_threshold(rows, 90.0)
    return detector, rows
