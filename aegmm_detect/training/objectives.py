"""What a fit minimises, and whether a graph can hold it."""

import inspect
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.objective import (
    ForwardPass,
    Objective,
    Term,
    from_loss_fn,
    from_terms,
)
from aegmm_detect.programs.tracing import has_gradient, refuses_graph
from aegmm_detect.types import FloatArray, LossFn

# Warnings point at the user's call of `fit`: by way of `get_ready` and `_fit`.
_FRAMES_TO_FIT = 6


def must_run_eagerly(net: keras.Model, sample: FloatArray) -> bool:
    """Whether `net`, its feature function included, cannot be traced; if so, warn."""
    reason = refuses_graph(lambda x: net(x, training=False), sample)
    if reason is None:
        return False
    _warn_uncompiled("recon_features (or a net)", reason)
    return True


class Loss(NamedTuple):
    """What a kind of detector minimises."""

    terms: tuple[Term, ...]  # unless the user brings a loss of their own
    weights: Mapping[str, Any]  # what a user's loss gets besides a batch's outputs, by name
    of_code: tuple[Term, ...] = ()  # added to either
    family: Family = GAUSSIAN  # kind of the mixture that the terms are given
    more: Mapping[str, Any] = MappingProxyType({})  # what a user's loss gets if it takes it
    # What a user's loss would get with other settings: name -> the setting.
    elsewhere: Mapping[str, str] = MappingProxyType({})


def choose_objective(
    loss_fn: LossFn | None, loss: Loss, net: keras.Model, sample: FloatArray
) -> tuple[Objective, bool]:
    """The objective of one fit, and whether it has to run eagerly.

    Parameters
    ----------
    loss_fn
        The user's, or None for the detector's terms.
    loss
        The detector's.
    net, sample
        Two prepared rows through `net` try the user's loss.

    Raises
    ------
    ConfigurationError
        If `loss_fn` cannot be called with a batch's outputs and the weights; if no gradient flows
        through it: nothing would be trained.
    """
    if loss_fn is None:
        return from_terms((*loss.terms, *loss.of_code), family=loss.family), False
    weights = {**loss.weights, **_accepted(loss_fn, loss.more)}
    _check_arguments(loss_fn, loss, weights)
    alone = from_loss_fn(loss_fn, weights)

    def value(*out: Any) -> Any:
        return alone.function(ForwardPass(*out))["loss"]

    found = (keras.ops.cast(value, "float32") for value in net(sample, training=False))
    outputs = (sample, *map(keras.ops.convert_to_numpy, found))
    if outputs[2].ndim > 2:  # an ensemble: one member speaks for all
        outputs = (sample, *(value[0] for value in outputs[1:]))
    reason = refuses_graph(value, *outputs)
    if not has_gradient(lambda *out: value(outputs[0], *out), *outputs[1:]):
        raise ConfigurationError(
            "No gradient flows through loss_fn, so nothing would be trained: write it with "
            "keras.ops or TensorFlow in place of NumPy, and make it depend on x_pred, z or gamma."
        )
    if reason is not None:
        _warn_uncompiled("loss_fn", reason)
    return from_loss_fn(loss_fn, weights, loss.of_code), reason is not None


def _check_arguments(loss_fn: LossFn, loss: Loss, weights: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(loss_fn)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    outputs = ("x", "x_pred", "z", "gamma")
    try:
        signature.bind(*outputs, **weights)
    except TypeError as error:
        for name, setting in loss.elsewhere.items():
            parameter = signature.parameters.get(name)
            if parameter is not None and parameter.default is parameter.empty:
                raise ConfigurationError(
                    f"loss_fn needs {name!r}, which it gets with {setting} alone: pass that, or "
                    f"give the argument a default, {name}=None."
                ) from error
        raise ConfigurationError(
            f"loss_fn cannot be called as loss_fn({', '.join((*outputs, *weights))}), the last "
            f"{len(weights)} by name: {error}. Take them all, or **weights for those you do not "
            "need."
        ) from error


def _accepted(loss_fn: LossFn, more: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `more` that `loss_fn` takes by name."""
    try:
        parameters = inspect.signature(loss_fn).parameters
    except (TypeError, ValueError):
        return {}
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return dict(more)
    positional = inspect.Parameter.POSITIONAL_ONLY
    return {n: v for n, v in more.items() if n in parameters and parameters[n].kind != positional}


def _warn_uncompiled(what: str, reason: str) -> None:
    warnings.warn(
        f"{what} cannot run inside a compiled graph, so every step runs uncompiled, and no "
        f"gradient flows through NumPy code: {reason}",
        UserWarning,
        stacklevel=_FRAMES_TO_FIT,
    )
