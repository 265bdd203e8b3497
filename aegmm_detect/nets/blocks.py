"""Nets that the package builds itself, from lists of layer sizes."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import keras

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets.dropout import Dropout


class Nets(NamedTuple):
    """The three parts of an AEGMM."""

    encoder: keras.Sequential
    decoder: keras.Sequential
    density: keras.Sequential


def build(sizes: NetSizes, n_recon_features: int, seed: int | None = None) -> Nets:
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
    """
    seeds: Iterator[int | None] = itertools.repeat(None) if seed is None else itertools.count(seed)
    widths = sizes.comp_hiddens
    encoder = _stack("encoder", sizes.n_features, widths, sizes.comp_activation, None, seeds)
    mirrored = (*widths[-2::-1], sizes.n_features)
    decoder = _stack("decoder", sizes.latent_dim, mirrored, sizes.comp_activation, None, seeds)
    density = _stack(
        "gmm_density",
        sizes.latent_dim + n_recon_features,
        sizes.est_hiddens,
        sizes.est_activation,
        sizes.est_dropout_ratio,
        seeds,
        last="softmax",
    )
    return Nets(encoder, decoder, density)


def _stack(
    name: str,
    n_inputs: int,
    widths: tuple[int, ...],
    activation: str,
    dropout: float | None,
    seeds: Iterator[int | None],
    last: str | None = None,
) -> keras.Sequential:
    layers: list[keras.layers.Layer] = [keras.layers.InputLayer(shape=(n_inputs,))]
    for i, width in enumerate(widths):
        final = i == len(widths) - 1
        init = keras.initializers.GlorotUniform(seed=next(seeds))
        layers.append(
            keras.layers.Dense(width, last if final else activation, kernel_initializer=init)
        )
        if dropout and not final:
            layers.append(Dropout(dropout, seed=next(seeds)))
    return keras.Sequential(layers, name=name)
