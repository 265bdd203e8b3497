"""Nets that the package builds itself, from lists of layer sizes."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import keras

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets.dropout import Dropout
from aegmm_detect.nets.stacked import StackedDense

# (units, activation, name) -> layer with fresh weights.
_Dense: TypeAlias = Callable[[int, Any, str], keras.layers.Layer]


class Nets(NamedTuple):
    """The three parts of an AEGMM."""

    encoder: keras.Sequential
    decoder: keras.Sequential
    density: keras.Sequential


def build(
    sizes: NetSizes, n_recon_features: int, seed: int | None = None, members: int | None = None
) -> Nets:
    """Encoder, mirrored decoder and density net of the DAGMM projects.

    Code and output layers are linear; dropout sits between the density net's layers.

    Parameters
    ----------
    sizes
        Layer widths and activations.
    n_recon_features
        Number of reconstruction features, which widen the density net's input.
    seed
        Makes the initial weights and the dropout masks repeatable.
    members
        Number of nets of these sizes to build as one, each with weights of its own. Their outputs
        have one more axis, of the members, in front. Default None: plain nets.
    """
    seeds: Iterator[int | None] = itertools.repeat(None) if seed is None else itertools.count(seed)
    # Members far apart, so that no two draw the same weights.
    offsets = [1000 * member for member in range(members or 1)]

    def dense(units: int, activation: Any, name: str) -> keras.layers.Layer:
        start = next(seeds)
        if members is None:
            init = keras.initializers.GlorotUniform(seed=start)
            return keras.layers.Dense(units, activation, kernel_initializer=init, name=name)
        own = [None if start is None else start + offset for offset in offsets]
        return StackedDense(units, own, activation, name=name)

    widths = sizes.comp_hiddens
    lead = (None,) if members is None else (members, None)
    encoder = _chain("encoder", (None, sizes.n_features), widths, sizes.comp_activation, dense)
    mirrored = (*widths[-2::-1], sizes.n_features)
    decoder = _chain("decoder", (*lead, sizes.latent_dim), mirrored, sizes.comp_activation, dense)
    dropout = sizes.est_dropout_ratio
    density = _chain(
        "gmm_density",
        (*lead, sizes.latent_dim + n_recon_features),
        sizes.est_hiddens,
        sizes.est_activation,
        dense,
        "softmax",
        (lambda: Dropout(dropout, seed=next(seeds))) if dropout else None,
    )
    return Nets(encoder, decoder, density)


def _chain(
    name: str,
    inputs: tuple[int | None, ...],
    widths: tuple[int, ...],
    activation: str,
    dense: _Dense,
    last: str | None = None,
    between: Callable[[], keras.layers.Layer] | None = None,
) -> keras.Sequential:
    layers: list[keras.layers.Layer] = [keras.layers.InputLayer(batch_shape=inputs)]
    for i, width in enumerate(widths):
        final = i == len(widths) - 1
        layers.append(dense(width, last if final else activation, f"dense_{i}"))
        if between is not None and not final:
            layers.append(between())
    return keras.Sequential(layers, name=name)
