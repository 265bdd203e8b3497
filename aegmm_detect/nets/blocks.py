"""Nets that the package builds itself, from lists of layer sizes."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import keras

from aegmm_detect.configs.nets import CodeConfig, NetSizes
from aegmm_detect.nets.codes import GaussianCode, QuantizedCode
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
    sizes: NetSizes,
    n_recon_features: int,
    seed: int | None = None,
    members: int | None = None,
    code: CodeConfig | None = None,
    n_context: int = 0,
) -> Nets:
    """Encoder, mirrored decoder and density net of the DAGMM projects.

    Code and output layers are linear; dropout sits between the density net's layers. All compute in
    float32, whatever Keras is set to for the whole process.

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
    code
        What becomes of the encoder's output. Default None: it is the code, and linear.
    n_context
        Columns of z after the features, which widen the density net's input, too.
    """
    seeds: Iterator[int | None] = itertools.repeat(None) if seed is None else itertools.count(seed)
    dense = _dense(seeds, members)
    widths, hidden = sizes.comp_hiddens, _hidden(sizes, code)
    lead = (None,) if members is None else (members, None)
    last = None if hidden == widths else sizes.comp_activation
    encoder = _chain(
        "encoder", (None, sizes.n_features), hidden, sizes.comp_activation, dense, last
    )
    mirrored = (*widths[-2::-1], sizes.n_features)
    decoder = _chain("decoder", (*lead, sizes.latent_dim), mirrored, sizes.comp_activation, dense)
    dropout = sizes.est_dropout_ratio
    density = _chain(
        "gmm_density",
        (*lead, sizes.latent_dim + n_recon_features + n_context),
        sizes.est_hiddens,
        sizes.est_activation,
        dense,
        "softmax",
        (lambda: Dropout(dropout, seed=next(seeds), dtype="float32")) if dropout else None,
    )
    return Nets(encoder, decoder, density)


def build_code(
    code: CodeConfig | None, sizes: NetSizes, seed: int | None = None, members: int | None = None
) -> keras.Model | None:
    """What makes a code of the output of an encoder that `build` has built for it.

    Parameters
    ----------
    code
        Its kind; None for none.
    sizes, seed, members
        As for `build`.
    """
    if code is None:
        return None
    lead = (None,) if members is None else (members, None)
    made: keras.Model
    if code.kind == "gaussian":
        dense = _dense(itertools.repeat(None) if seed is None else itertools.count(seed), members)
        mean, log_variance = (
            dense(sizes.latent_dim, None, name) for name in ("mean", "log_variance")
        )
        made = GaussianCode(mean, log_variance, seed)
    else:
        assert code.n_codes is not None  # its configuration says so
        made = QuantizedCode(code.n_codes, sizes.latent_dim, members)
    made.build((*lead, _hidden(sizes, code)[-1]))
    return made


def _hidden(sizes: NetSizes, code: CodeConfig | None) -> tuple[int, ...]:
    """Widths of the encoder; mean and log-variance are layers after the last hidden one."""
    widths = sizes.comp_hiddens
    return (widths[:-1] or widths) if code is not None and code.kind == "gaussian" else widths


def _dense(seeds: Iterator[int | None], members: int | None) -> _Dense:
    # Members far apart, so that no two draw the same weights.
    offsets = [1000 * member for member in range(members or 1)]

    def dense(units: int, activation: Any, name: str) -> keras.layers.Layer:
        start = next(seeds)
        if members is None:
            init = keras.initializers.GlorotUniform(seed=start)
            return keras.layers.Dense(
                units, activation, kernel_initializer=init, name=name, dtype="float32"
            )
        own = [None if start is None else start + offset for offset in offsets]
        return StackedDense(units, own, activation, name=name)

    return dense


def _chain(
    name: str,
    inputs: tuple[int | None, ...],
    widths: tuple[int, ...],
    activation: str,
    dense: _Dense,
    last: str | None = None,
    between: Callable[[], keras.layers.Layer] | None = None,
) -> keras.Sequential:
    layers: list[keras.layers.Layer] = [
        keras.layers.InputLayer(batch_shape=inputs, dtype="float32")
    ]
    for i, width in enumerate(widths):
        final = i == len(widths) - 1
        layers.append(dense(width, last if final else activation, f"dense_{i}"))
        if between is not None and not final:
            layers.append(between())
    net = keras.Sequential(layers, name=name)
    # Its layers compute in float32, whatever the policy of the process; so does the net by name.
    net.dtype_policy = keras.DTypePolicy("float32")
    return net
