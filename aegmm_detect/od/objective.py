"""What mixture detectors minimise: the terms of their loss, or a function of the user's."""

import functools
import inspect
from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
from keras import ops

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.aegmm import forward_pass
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.objective import ForwardPass, Loss, Term, from_loss_fn, from_terms
from aegmm_detect.programs.tracing import has_gradient, refuses_graph
from aegmm_detect.training.objective import Evaluated, Objective
from aegmm_detect.types import Array, LossFn, Tensor
from aegmm_detect.user_warnings import warn_user


class MixtureLoss(NamedTuple):
    """What a kind of mixture detector minimises."""

    terms: tuple[Term, ...]  # unless the user brings a loss of their own
    weights: Mapping[str, Any]  # what a user's loss gets besides a batch's outputs, by name
    of_code: tuple[Term, ...] = ()  # added to either
    family: Family = GAUSSIAN  # kind of the mixture that the terms are given
    given: Any = ()  # a tree of arrays that the terms need
    more: Mapping[str, Any] = MappingProxyType({})  # what a user's loss gets if it takes it
    # What a user's loss would get with other settings: name -> the setting.
    elsewhere: Mapping[str, str] = MappingProxyType({})

    @property
    def objective(self) -> Objective:
        """Of the terms. Equal terms make equal keys."""
        terms = (*self.terms, *self.of_code)
        loss = from_terms(terms, family=self.family)
        return _objective(loss, (terms, self.family), self.given)


def objective_of(
    loss_fn: LossFn | None, loss: MixtureLoss, rows: Array, outputs: Sequence[Array]
) -> tuple[Objective, bool]:
    """The objective of one fit, and whether it has to run eagerly.

    Parameters
    ----------
    loss_fn
        The user's, or None for the detector's terms.
    loss
        The detector's.
    rows, outputs
        A few prepared rows, and what the net returns for them: the user's loss is tried on it.

    Raises
    ------
    ConfigurationError
        If `loss_fn` cannot be called with a batch's outputs and the weights; if no gradient flows
        through it: nothing would be trained.
    """
    if loss_fn is None:
        return loss.objective, False
    weights = {**loss.weights, **_accepted(loss_fn, loss.more)}
    _check_arguments(loss_fn, loss, weights)
    alone = from_loss_fn(loss_fn, weights)

    def value(*out: Any) -> Any:
        return alone.function(ForwardPass(*out))["loss"]

    tried = (rows, *outputs)
    if outputs[1].ndim > 2:  # an ensemble: one member speaks for all
        tried = (rows, *(value[0] for value in outputs))
    reason = refuses_graph(value, *tried)
    if not has_gradient(lambda *out: value(tried[0], *out), *tried[1:]):
        raise ConfigurationError(
            "No gradient flows through loss_fn, so nothing would be trained: write it with "
            "keras.ops or TensorFlow in place of NumPy, and make it depend on x_pred, z or gamma."
        )
    if reason is not None:
        warn_uncompiled("loss_fn", reason)
    whole = from_loss_fn(loss_fn, weights, loss.of_code)
    return _objective(whole, None, loss.given), reason is not None


def must_run_eagerly(net: keras.Model, sample: Array) -> bool:
    """Whether `net`, its feature function included, cannot be traced; if so, warn."""
    reason = refuses_graph(functools.partial(net, training=False), sample)
    if reason is not None:
        warn_uncompiled("recon_features (or a net)", reason)
    return reason is not None


def warn_uncompiled(what: str, reason: str) -> None:
    """Warn that `what` keeps a fit from being compiled."""
    warn_user(
        f"{what} cannot run inside a compiled graph, so every step runs uncompiled, and no "
        f"gradient flows through NumPy code: {reason}"
    )


def _objective(loss: Loss, key: Hashable | None, given: Any) -> Objective:
    def values(
        net: keras.Model, arrays: Any, batch: Any, progress: Tensor | float, training: bool
    ) -> Evaluated:
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        out = forward_pass(net, x, training)
        x, x_recon = out.x, ops.cast(out.x_recon, "float32")
        z, gamma = ops.cast(out.z, "float32"), ops.cast(out.gamma, "float32")
        found = loss.function(ForwardPass(x, x_recon, z, gamma, out.extras, y, progress, arrays))
        return Evaluated(found, (ops.broadcast_to(x, ops.shape(x_recon)), x_recon))

    return Objective(loss.columns, values, key, given)


def _check_arguments(loss_fn: LossFn, loss: MixtureLoss, weights: Mapping[str, Any]) -> None:
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
