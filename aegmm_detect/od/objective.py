"""The loss of mixture detectors: their own terms, or the user's function."""

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
    """The loss of a kind of mixture detector, and the arguments of a user's loss in its place."""

    terms: tuple[Term, ...]  # terms of the loss; a user's loss replaces them
    weights: Mapping[str, Any]  # keyword arguments that a user's loss must take
    of_code: tuple[Term, ...] = ()  # further terms, added to either loss
    family: Family = GAUSSIAN  # kind of the mixture that the terms use
    given: Any = ()  # a tree of arrays that the terms need
    more: Mapping[str, Any] = MappingProxyType({})  # keyword arguments that a user's loss may take
    # Arguments that a user's loss would get with other settings: name -> the setting. For errors.
    elsewhere: Mapping[str, str] = MappingProxyType({})

    @property
    def objective(self) -> Objective:
        """The objective with the detector's own terms. Equal terms have equal keys."""
        terms = (*self.terms, *self.of_code)
        loss = from_terms(terms, family=self.family)
        return _objective(loss, (terms, self.family), self.given)


def objective_of(
    loss_fn: LossFn | None, loss: MixtureLoss, rows: Array, outputs: Sequence[Array]
) -> tuple[Objective, bool]:
    """Make the objective of one fit. Also return whether it must run eagerly.

    Parameters
    ----------
    loss_fn
        The user's loss, or None for the detector's terms.
    loss
        The detector's loss.
    rows, outputs
        A few prepared rows and the net's outputs for them, to try the user's loss.

    Raises
    ------
    ConfigurationError
        `loss_fn` cannot be called with a batch's outputs and the weights; or no gradient flows
        through it, so nothing would be trained.
    """
    if loss_fn is None:
        return loss.objective, False
    weights = {**loss.weights, **_accepted(loss_fn, loss.more)}
    _check_arguments(loss_fn, loss, weights)
    alone = from_loss_fn(loss_fn, weights)

    def value(*out: Any) -> Any:
        return alone.function(ForwardPass(*out))["loss"]

    tried = (rows, *outputs)
    if outputs[1].ndim > 2:  # an ensemble: try the loss with one member
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
    """Whether `net`, including its feature function, cannot be traced; if so, warn."""
    reason = refuses_graph(functools.partial(net, training=False), sample)
    if reason is not None:
        warn_uncompiled("recon_features (or a net)", reason)
    return reason is not None


def warn_uncompiled(what: str, reason: str) -> None:
    """Warn that a fit cannot be compiled because of `what`."""
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
    except (TypeError, ValueError):  # some built-in functions have no signature
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
    """The arguments in `more` that `loss_fn` takes by name."""
    try:
        parameters = inspect.signature(loss_fn).parameters
    except (TypeError, ValueError):
        return {}
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return dict(more)
    positional = inspect.Parameter.POSITIONAL_ONLY
    return {n: v for n, v in more.items() if n in parameters and parameters[n].kind != positional}
