"""The training loss as data: a tuple of named, weighted terms.

Zong et al. (2018), ICLR, eq. 7:  J = mean L(x, x') + lambda1 mean E(z) + lambda2 P(Sigma).
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from keras import ops

from aegmm_detect._lazy import renamed
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.features import mean_squared, per_member, squared_error
from aegmm_detect.types import LossFn, ReconFeatures, Tensor

Reduction: TypeAlias = Literal["mean", "sum"]


class ForwardPass(NamedTuple):
    """Inputs and outputs of the net for one batch.

    For an ensemble, all but `x` have an axis of members in front. If each member has rows of its
    own, `x` also has that axis.
    """

    x: Tensor  # (N, ...)
    x_recon: Tensor  # (N, ...)
    z: Tensor  # (N, D)  code, then reconstruction features
    gamma: Tensor  # (N, K)  rows sum to 1
    # Further outputs of a kind of code, by name: one value per row (N,), or a single value.
    extras: Mapping[str, Tensor] = MappingProxyType({})
    # (N,)  labels: 0 normal, 1 anomaly, -1 unlabelled. None if all are unlabelled.
    y: Tensor | None = None
    progress: Tensor | float = 1.0  # of training: 0 at its first step, 1 at its end and after it
    given: Any = ()  # numbers of this fit that terms need, from its objective


class Term(NamedTuple):
    """One summand of the loss."""

    name: str  # also its column in the training log
    weight: float | Callable[[Tensor], Tensor]  # a number, or a function of progress
    # A batch and the parameters of its mixture to a scalar, or to one value per member.
    value: Callable[[ForwardPass, Any], Tensor]
    # Whether `value` returns one value per row, (..., N). Then the term is their mean over all rows
    # except labelled anomalies.
    of_rows: bool = False


class Loss(NamedTuple):
    """A loss of one batch, and the names of what it logs."""

    columns: tuple[str, ...]  # keys of what `function` returns; the first is "loss"
    function: Callable[[ForwardPass], dict[str, Tensor]]


def aegmm_terms(
    w_energy: float = 0.1,
    w_cov_diag: float = 0.005,
    recon_reduction: Reduction = "mean",
    family: Family = GAUSSIAN,
    start_at: float = 0.0,
) -> tuple[Term, ...]:
    """Terms of the AEGMM loss: reconstruction, energy, penalty against collapsed components.

    Parameters
    ----------
    w_energy
        Weight of the mean energy; lambda1 of the paper, .1 there.
    w_cov_diag
        Weight of the sum of inverse variances, or of a Laplacian's inverse scales; lambda2 of the
        paper, .005 there.
    recon_reduction
        'mean' averages the squared error over the features of a row, 'sum' adds it up. With 'sum'
        and n features, the other two weights count n times less. Some DAGMM projects use 'sum' with
        1e-4 for `w_cov_diag`.
    family
        Kind of the mixture. Pass the same one to `evaluate`.
    start_at
        Share of training before which energy and penalty have no weight.
    """
    energy, penalty = (starting(weight, start_at) for weight in (w_energy, w_cov_diag))
    return (
        Term("recon", 1.0, _RECONSTRUCTIONS[recon_reduction], True),
        Term("energy", energy, _Energy(family), True),
        Term(family.penalty_name, penalty, _Penalty(family)),
    )


def _mean_error(out: ForwardPass, _: Any) -> Tensor:
    return _errors(mean_squared, out)


def _summed_error(out: ForwardPass, _: Any) -> Tensor:
    return _errors(squared_error, out)


_RECONSTRUCTIONS = {"mean": _mean_error, "sum": _summed_error}


# Dataclasses and not closures: equal settings make equal terms, so their fits share compiled
# programs.
@dataclasses.dataclass(frozen=True)
class _Energy:
    family: Family

    def __call__(self, out: ForwardPass, params: Any) -> Tensor:
        return self.family.energy(out.z, params)


@dataclasses.dataclass(frozen=True)
class _Penalty:
    family: Family

    def __call__(self, out: ForwardPass, params: Any) -> Tensor:
        return self.family.penalty(params)


@dataclasses.dataclass(frozen=True)
class Extra:
    """Value of a term that is one of the extras of a forward pass."""

    name: str

    def __call__(self, out: ForwardPass, params: Any) -> Tensor:
        """The extra of a batch."""
        return out.extras[self.name]


def evaluate(
    terms: tuple[Term, ...],
    out: ForwardPass,
    reg: float = gmm.DEFAULT_REG,
    family: Family = GAUSSIAN,
) -> dict[str, Tensor]:
    """Loss and the unweighted value of each term, with the mixture of this batch.

    Labelled anomalies count neither for the mixture nor for the means over rows.
    """
    gamma = out.gamma
    if out.y is not None:
        gamma = gamma * ops.cast(out.y != 1, gamma.dtype)[:, None]
    params = family.mixture(out.z, gamma, reg)
    values, weighted = _evaluated(terms, out, params)
    return {"loss": sum(weighted), **values}


def from_terms(
    terms: tuple[Term, ...], reg: float = gmm.DEFAULT_REG, family: Family = GAUSSIAN
) -> Loss:
    """Make a loss that logs itself and every term."""
    return Loss(
        ("loss", *(term.name for term in terms)),
        lambda out: evaluate(terms, out, reg, family),
    )


def from_loss_fn(loss_fn: LossFn, weights: Mapping[str, Any], own: tuple[Term, ...] = ()) -> Loss:
    """Make a loss of a user's function, which returns a scalar or one value per row.

    For an ensemble, the function is called once for each member.

    Parameters
    ----------
    loss_fn
        Function of (x, x_recon, z, gamma) and `weights`.
    weights
        Further arguments of `loss_fn`, by name.
    own
        Terms of the kind of code, which are added to its value.
    """

    def of_one(*out: Tensor) -> Tensor:
        return ops.mean(loss_fn(*out, **weights))

    def function(out: ForwardPass) -> dict[str, Tensor]:
        outputs = (out.x_recon, out.z, out.gamma)
        if len(out.z.shape) == 2:
            loss = of_one(out.x, *outputs)
        else:
            members = zip(*map(ops.unstack, outputs), strict=True)
            loss = ops.stack([of_one(out.x, *member) for member in members])
        values, added = _evaluated(own, out, None)
        return {"loss": sum(added, loss), **values}

    return Loss(("loss", *(term.name for term in own)), function)


def _evaluated(
    terms: tuple[Term, ...], out: ForwardPass, params: Any
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Values of the terms by name, and their weighted values in order."""
    values = {term.name: _value(term, out, params) for term in terms}
    return values, [_weighted(term, values[term.name], out) for term in terms]


def _value(term: Term, out: ForwardPass, params: Any) -> Tensor:
    value = term.value(out, params)
    if not term.of_rows:
        return value
    return row_mean(value) if out.y is None else masked_mean(value, out.y != 1)


def _errors(recon: ReconFeatures, out: ForwardPass) -> Tensor:
    return per_member(recon, out.x, out.x_recon, len(out.z.shape) == 3)[..., 0]


def _weighted(term: Term, value: Tensor, out: ForwardPass) -> Tensor:
    if not callable(term.weight):
        return term.weight * value
    return ops.cast(term.weight(out.progress), value.dtype) * value


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (..., N) where `mask` (N,) is true; 0 if it is true nowhere."""
    chosen = ops.cast(mask, values.dtype)
    return ops.sum(values * chosen, axis=-1) / ops.maximum(ops.sum(chosen), 1.0)


def row_mean(values: Tensor) -> Tensor:
    """Mean over rows, (..., N) -> (...)."""
    return ops.mean(values, axis=-1)


def warmed_up(weight: float, share: float) -> float | Callable[[Tensor], Tensor]:
    """A weight that rises from 0 over this share of training. With 0, it is full from the start."""
    return _WarmedUp(weight, share) if share else weight


def starting(weight: float, share: float) -> float | Callable[[Tensor], Tensor]:
    """A weight that is 0 over this share of training. With 0, it is full from the start."""
    return _Starting(weight, share) if share else weight


@dataclasses.dataclass(frozen=True)
class _WarmedUp:
    weight: float
    share: float

    def __call__(self, progress: Tensor) -> Tensor:
        return self.weight * ops.minimum(progress / self.share, 1.0)


@dataclasses.dataclass(frozen=True)
class _Starting:
    weight: float
    share: float

    def __call__(self, progress: Tensor) -> Tensor:
        return ops.where(progress < self.share, 0.0, self.weight)


__getattr__ = renamed(__name__, {"Objective": "Loss"})
