"""The mixture after training: one streamed pass over all training rows, memory flat in N."""

import functools
import math
from collections.abc import Iterable

from keras import ops

from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import FloatArray, Forward

# Large enough for the nets to be busy; fewer rows where they are wide, images for example.
_MOST_ROWS = 8192
_PASS_BYTES = 8 * 2**20


def rows_per_pass(row_shape: tuple[int, ...]) -> int:
    """Rows that go through the net at once, whatever a row holds."""
    return max(1, min(_MOST_ROWS, _PASS_BYTES // (4 * math.prod(row_shape))))


def estimate_mixture(
    forward: Forward, batches: Iterable[FloatArray], reg: float = gmm.DEFAULT_REG
) -> ScoringMixture:
    """Merge the moments of `batches` in float64 and turn them into the mixture that scores.

    Parameters
    ----------
    forward
        The net in inference mode: prepared rows -> (x_recon, z, gamma).
    batches
        All training rows, prepared, in batches of any sizes.
    reg
        Jitter, relative to a component's mean variance.

    Raises
    ------
    IndefiniteCovarianceError
        If the nets' outputs have no finite mixture.
    """

    def batch_moments(batch: FloatArray) -> gmm.Moments:
        _, z, gamma = forward(batch)
        return gmm.moments(ops.cast(z, "float64"), ops.cast(gamma, "float64"))

    return ScoringMixture.from_moments(
        functools.reduce(gmm.merge, map(batch_moments, batches)), reg
    )
