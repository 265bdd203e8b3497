"""What a fit minimises, and whether a graph can hold it."""

import warnings
from typing import Any

import keras

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.objective import (
    ForwardPass,
    Objective,
    aegmm_terms,
    from_loss_fn,
    from_terms,
)
from aegmm_detect.training.tracing import has_gradient, refuses_graph
from aegmm_detect.types import FloatArray, LossFn

# Warnings point at the user's call of `fit`.
_FRAMES_TO_FIT = 4


def must_run_eagerly(net: keras.Model, sample: FloatArray) -> bool:
    """Whether `net`, its feature function included, cannot be traced; if so, warn."""
    reason = refuses_graph(lambda x: net(x, training=False), sample)
    if reason is None:
        return False
    _warn_uncompiled("recon_features (or a net)", reason)
    return True


def choose_objective(
    loss_fn: LossFn | None,
    settings: FitConfig,
    net: keras.Model,
    sample: FloatArray,
    family: Family = GAUSSIAN,
) -> tuple[Objective, bool]:
    """The objective of one fit, and whether it has to run eagerly.

    Parameters
    ----------
    loss_fn
        The user's, or None for the AEGMM loss.
    settings
        Weights of the terms.
    net, sample
        Two prepared rows through `net` try the user's loss.
    family
        Kind of the mixture in the AEGMM loss.

    Raises
    ------
    ConfigurationError
        If no gradient flows through `loss_fn`: nothing would be trained.
    """
    if loss_fn is None:
        weights = (settings.w_energy, settings.w_cov_diag)
        terms = aegmm_terms(*weights, settings.recon_reduction, family)
        return from_terms(terms, family=family), False
    objective = from_loss_fn(loss_fn, settings.w_energy, settings.w_cov_diag)

    def loss(*out: Any) -> Any:
        return objective.function(ForwardPass(*out))["loss"]

    outputs = (sample, *map(keras.ops.convert_to_numpy, net(sample, training=False)))
    if outputs[2].ndim > 2:  # an ensemble: one member speaks for all
        outputs = (sample, *(value[0] for value in outputs[1:]))
    reason = refuses_graph(loss, *outputs)
    if not has_gradient(lambda *out: loss(outputs[0], *out), *outputs[1:]):
        raise ConfigurationError(
            "No gradient flows through loss_fn, so nothing would be trained: write it with "
            "keras.ops or TensorFlow in place of NumPy, and make it depend on x_pred, z or gamma."
        )
    if reason is None:
        return objective, False
    _warn_uncompiled("loss_fn", reason)
    return objective, True


def _warn_uncompiled(what: str, reason: str) -> None:
    warnings.warn(
        f"{what} cannot run inside a compiled graph, so every step runs uncompiled, and no "
        f"gradient flows through NumPy code: {reason}",
        UserWarning,
        stacklevel=_FRAMES_TO_FIT,
    )
