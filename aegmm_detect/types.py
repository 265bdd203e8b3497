"""Names for the kinds of value that cross module borders; no logic."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

# A tensor of the active backend. Keras ships no types, so this documents and checks nothing more.
Tensor: TypeAlias = Any
Array: TypeAlias = npt.NDArray[Any]
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

# Every call goes over the same batches of (z, gamma), so that there can be more than one pass.
Batches: TypeAlias = Callable[[], Iterable[tuple[Tensor, Tensor]]]

# Forward pass of a net on prepared rows: (N, ...) -> (x_recon, z, gamma).
Forward: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]

# How the nodes of a self-organising map begin, and which of them move with a winner.
MapInit: TypeAlias = Literal["sample", "linear"]
Neighbourhood: TypeAlias = Literal["bubble", "gaussian"]


class ReconFeatures(Protocol):
    """Features of a reconstruction: inputs (N, ...) and reconstructions (N, ...) -> (N, F)."""

    def __call__(self, x: Tensor, x_recon: Tensor, /) -> Tensor: ...


class LossFn(Protocol):
    """A training loss of the user's own: scalar, or one value per row."""

    def __call__(
        self,
        x_true: Tensor,
        x_pred: Tensor,
        z: Tensor,
        gamma: Tensor,
        *,
        w_energy: float,
        w_cov_diag: float,
    ) -> Tensor: ...


class Unset:
    """Type of `UNSET`, the mark of an argument that the caller left out."""

    def __repr__(self) -> str:
        return "<from fit_config>"


UNSET: Any = Unset()
