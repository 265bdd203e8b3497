"""Do a user's nets fit together? Asked before training, answered in the user's terms."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.exceptions import ConfigurationError, NetTypeError
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.types import Array, ReconFeatures

# Distance of 1 to the next number of dtypes with few digits.
_EPSILON = {"bfloat16": 2.0**-7, "float16": 2.0**-10}


def check_types(nets: dict[str, Any], ready: str | None = "aegmm") -> None:
    """Raise unless every net is a `keras.Model`; `nets` maps argument names to values.

    Parameters
    ----------
    nets
        Argument name -> value.
    ready
        Name of the argument that takes a ready model; None where there is none.

    Raises
    ------
    NetTypeError
        A `TypeError` that names the argument.
    """
    either = "" if ready is None else f"either {ready}= or "
    for name, net in nets.items():
        if not isinstance(net, keras.Model):
            raise NetTypeError(
                f"{name} is {'missing' if net is None else 'a ' + type(net).__name__}; pass a "
                f"keras.Model (Sequential or functional). A detector needs {either}all of "
                "encoder_net=, decoder_net= and gmm_density_net=."
            )


def check_one_device(net: keras.Model) -> None:
    """Raise where a `tf.distribute` strategy holds `net`, or would hold what becomes of it.

    Raises
    ------
    ConfigurationError
        Says what to do instead.
    """
    if tf.distribute.has_strategy() or any(
        isinstance(variable.value, tf.distribute.DistributedValues) for variable in net.variables
    ):
        raise ConfigurationError(
            "A detector trains and scores on one device, not under a tf.distribute strategy: make "
            "its nets, make it and fit it outside of strategy.scope(). Several GPUs can fit "
            "several detectors, one process each."
        )


def check_widths(net: AEGMM, n_gmm: int | None) -> None:
    """Raise if the parts' declared widths contradict each other; unbuilt nets are let through.

    Raises
    ------
    ConfigurationError
        Names the net, both widths and what to change.
    """
    rows, code = _shapes(net.encoder)
    decoder_in, recon = _shapes(net.decoder)
    density_in, memberships = _shapes(net.gmm_density)
    if code is not None:
        _check_flat(code)
        if net.code is not None:
            code = (net.code.latent_dim,)
    if _differ(code, decoder_in):
        raise ConfigurationError(
            f"decoder_net takes codes of width {_text(decoder_in)}, but encoder_net returns "
            f"{_text(code)}: the two must agree."
        )
    if _differ(rows, recon):
        raise ConfigurationError(
            f"decoder_net returns rows of width {_text(recon)}, but encoder_net takes "
            f"{_text(rows)}: a reconstruction has the shape of its row."
        )
    if memberships is not None:
        _check_n_gmm(memberships[-1], n_gmm)
    if rows is not None and code is not None and None not in rows and density_in is not None:
        n_features = count_features(net.recon_features, rows)
        parts = {"encoder_net": code[0], "recon_features": n_features}
        if net.context is not None:
            parts["its context"] = net.context.output_shape[-1]
        width = sum(parts.values())
        if width != density_in[-1]:
            listed = [f"{size} from {source}" for source, size in parts.items()]
            raise ConfigurationError(
                f"gmm_density_net takes {density_in[-1]} inputs, but z has {width}: "
                f"{', '.join(listed[:-1])} and {listed[-1]}. Give it Input(({width},))."
            )


def probe(net: keras.Model, rows: Array, n_gmm: int | None) -> tuple[Array, Array, Array]:
    """Run a few prepared rows through `net`; return what comes out: x_recon, z, gamma.

    Catches what declared shapes cannot tell: a ready `aegmm`, an unbuilt net, an end that is not a
    softmax.

    Raises
    ------
    ConfigurationError
        Says which output does not fit and what does.
    """
    if isinstance(net, AEGMM):
        # Before the features, which would complain in TensorFlow's words.
        _check_flat(tuple(net.encoder(rows, training=False).shape[1:]))
        code, _ = net.encode(rows, training=False)
        _check_recon(tuple(net.decoder(code, training=False).shape[1:]), rows.shape[1:])
    output = net(rows, training=False)
    if not isinstance(output, (tuple, list)) or len(output) != 3:
        raise ConfigurationError(
            "aegmm must return (x_recon, z, gamma) when called; it returned "
            f"{len(output) if isinstance(output, (tuple, list)) else type(output).__name__}."
        )
    x_recon, z, gamma = (
        keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")) for value in output
    )
    _check_recon(x_recon.shape[1:], rows.shape[1:])
    if z.ndim != 2 or gamma.ndim != 2:
        raise ConfigurationError(
            f"z and gamma must be (N, D) and (N, K); the net returns {z.shape} and {gamma.shape}."
        )
    _check_n_gmm(gamma.shape[1], n_gmm)
    check_memberships(gamma, getattr(net, "gmm_density", net))
    return x_recon, z, gamma


def check_memberships(gamma: Any, net: keras.Model) -> None:
    """Raise unless the rows of `gamma` (N, K) are distributions; NaN is left to the training.

    Sums may be off by the rounding of the dtype in which `net` computes them.

    Raises
    ------
    ConfigurationError
        Names the softmax that is missing.
    """
    dtypes = {layer.compute_dtype for layer in (net, *net.layers)}
    rounding = max(_EPSILON.get(dtype, 0.0) for dtype in dtypes) * gamma.shape[1]
    sums = gamma.sum(axis=1, dtype=np.float64)
    if np.isfinite(gamma).all() and (
        (gamma < 0).any() or (np.abs(sums - 1.0) > max(1e-3, rounding)).any()
    ):
        raise ConfigurationError(
            "gmm_density_net's rows are not memberships (they must be >= 0 and sum to 1): end it "
            "with Dense(n_gmm, activation='softmax')."
        )


def probe_before_fit(net: keras.Model, shape: tuple[int, ...], n_gmm: int | None) -> None:
    """`probe` while there are no rows yet, with a random one.

    Raises
    ------
    ConfigurationError
        As `probe`.
    """
    row = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    probe(net, np.repeat(row, 2, axis=0), n_gmm)


def count_features(recon_features: ReconFeatures, shape: tuple[int, ...]) -> int:
    """Number of features that `recon_features` returns for rows of feature shape `shape`.

    Raises
    ------
    ConfigurationError
        If it does not return (N, F).
    """
    x = keras.ops.ones((2, *shape), dtype="float32")
    features = keras.ops.convert_to_numpy(recon_features(x, 0.5 * x))
    if features.ndim != 2 or len(features) != 2:
        raise ConfigurationError(
            f"recon_features returned shape {features.shape} for 2 rows; it must return (2, F)."
        )
    return int(features.shape[1])


def row_shape(net: keras.Model) -> tuple[int, ...] | None:
    """Feature shape of the rows that `net` takes, if it is declared and fixed."""
    shape, _ = _shapes(net.encoder if isinstance(net, AEGMM) else net)
    return None if shape is None or None in shape else shape


def code_width(encoder_net: Any) -> int:
    """Declared width of the encoder's output.

    Raises
    ------
    NetTypeError, ConfigurationError
        No model, or one that does not declare it.
    """
    check_types({"encoder_net": encoder_net}, None)
    _, code = _shapes(encoder_net)
    if code is None or None in code:
        raise ConfigurationError(
            "encoder_net does not say how wide its output is: begin it with keras.Input(shape)."
        )
    _check_flat(code)
    return code[0]


def declared_row_shape(encoder_net: Any) -> tuple[int, ...]:
    """Declared feature shape of the rows that the encoder takes.

    Raises
    ------
    NetTypeError, ConfigurationError
        No model, or one that does not declare it.
    """
    check_types({"encoder_net": encoder_net}, None)
    shape = row_shape(encoder_net)
    if shape is None:
        raise ConfigurationError(
            "encoder_net does not say what rows it takes: begin it with keras.Input(shape)."
        )
    return shape


def _check_flat(code: tuple[int, ...]) -> None:
    if len(code) != 1:
        raise ConfigurationError(
            f"encoder_net returns codes of shape {code}: end it with Flatten() or Dense(latent)."
        )


def _check_recon(recon: tuple[int, ...], row: tuple[int, ...]) -> None:
    if recon != row:
        raise ConfigurationError(
            f"The decoder returns rows of shape {recon} for rows of shape {row}: a reconstruction "
            "has the shape of its row."
        )


def _check_n_gmm(found: int, n_gmm: int | None) -> None:
    if n_gmm is not None and found != n_gmm:
        raise ConfigurationError(
            f"gmm_density_net returns {found} memberships per row but n_gmm={n_gmm}: end it with "
            f"Dense({n_gmm}, activation='softmax') or pass n_gmm={found}."
        )


def _shapes(net: keras.Model) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Declared feature shapes of input and output; None where a net is not built yet."""
    try:
        return tuple(net.input_shape[1:]), tuple(net.output_shape[1:])
    except (AttributeError, TypeError, ValueError):
        return None, None  # subclassed or unbuilt: the probe sees it with real rows


def _differ(a: tuple[int, ...] | None, b: tuple[int, ...] | None) -> bool:
    if a is None or b is None:
        return False
    return len(a) != len(b) or any(x != y for x, y in zip(a, b, strict=True) if None not in (x, y))


def _text(shape: tuple[int, ...] | None) -> str:
    return str(shape[0]) if shape is not None and len(shape) == 1 else str(shape)
