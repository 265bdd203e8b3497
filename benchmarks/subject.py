"""The nets and rows that every benchmark uses."""

import functools
import itertools

import keras
import numpy as np

from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.types import FloatArray

# F-60-30-10-1, the KDD nets of Zong et al. (2018) for F = 118; the decoder mirrors them.
HIDDEN, CODE = (60, 30, 10), 1
N_RECON_FEATURES = 2
DENSITY = (10, 2)


def layer_shapes(
    n_features: int, hidden: tuple[int, ...] = HIDDEN
) -> dict[str, list[tuple[int, int]]]:
    """(inputs, outputs) of every dense layer, by net."""
    widths = {
        "encoder": (n_features, *hidden, CODE),
        "decoder": (CODE, *hidden[::-1], n_features),
        "density": (CODE + N_RECON_FEATURES, *DENSITY),
    }
    return {net: list(itertools.pairwise(w)) for net, w in widths.items()}


def build_nets(n_features: int, hidden: tuple[int, ...] = HIDDEN) -> dict[str, keras.Sequential]:
    """Fresh nets: tanh inside, linear code and output, softmax memberships; always the same."""
    nets, seeds = {}, itertools.count()
    for name, shapes in layer_shapes(n_features, hidden).items():
        last = "softmax" if name == "density" else None
        ends = [*["tanh"] * (len(shapes) - 1), last]
        layers = [
            keras.layers.Dense(
                width, end, kernel_initializer=keras.initializers.GlorotUniform(next(seeds))
            )
            for (_, width), end in zip(shapes, ends, strict=True)
        ]
        nets[name] = keras.Sequential([keras.layers.InputLayer(shape=shapes[0][:1]), *layers])
    return nets


def build_detector(n_features: int, hidden: tuple[int, ...] = HIDDEN) -> OutlierAEGMM:
    """An unfitted detector of fresh nets; default features, loss and optimizer."""
    nets = build_nets(n_features, hidden)
    return OutlierAEGMM(
        threshold=0.0,
        encoder_net=nets["encoder"],
        decoder_net=nets["decoder"],
        gmm_density_net=nets["density"],
        n_gmm=DENSITY[-1],
    )


@functools.cache
def fitted_detector(n_features: int) -> OutlierAEGMM:
    """A detector after the cheapest of fits: scoring takes as long as after a good one."""
    detector = build_detector(n_features)
    detector.fit(make_rows(4096, n_features), epochs=1, batch_size=256, verbose=0, seed=0)
    return detector


def make_rows(n_rows: int, n_features: int, seed: int = 0) -> FloatArray:
    """Correlated float32 rows, (N, F): three factors and noise."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    loadings = rng.standard_normal((3, n_features), dtype=np.float32)
    rows *= 0.3
    rows += rng.standard_normal((n_rows, 3), dtype=np.float32) @ loadings
    return rows
