"""Conformal p-values of scores, and decisions that hold a false-discovery rate."""

import dataclasses
import logging
import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from aegmm_detect.argument_checks import check_share
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.numerics.thresholds import rows_needed
from aegmm_detect.types import FloatArray

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of inliers that were not trained on, as a yardstick for new scores.

    Parameters
    ----------
    scores
        Of held-out inliers, (n,), finite. Kept sorted and read-only.

    Raises
    ------
    InvalidInputError
        No scores, another shape, or scores that are not finite.

    Notes
    -----
    Bates, Candès, Lei, Romano and Sesia (2023), "Testing for outliers with conformal p-values",
    Annals of Statistics 51, 149-178: marginal p-values, sections 2.1 and 2.3.
    """

    scores: FloatArray

    def __post_init__(self) -> None:
        scores = np.sort(np.asarray(self.scores))
        if scores.ndim != 1 or scores.dtype.kind != "f" or not np.isfinite(scores).all():
            raise InvalidInputError(
                f"Calibration needs finite scores (n,), and got {scores.dtype} of shape "
                f"{scores.shape}: pass detector.score(X) of held-out inliers without NaN."
            )
        if not len(scores):
            raise InvalidInputError("X holds no usable rows to calibrate on.")
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)

    def __reduce__(self) -> tuple[type["Calibration"], tuple[FloatArray]]:
        # By way of the constructor, so that copies are read-only, too.
        return type(self), (self.scores,)

    @property
    def n(self) -> int:
        """Number of calibration rows."""
        return len(self.scores)

    @property
    def smallest(self) -> float:
        """The smallest p-value that there can be, 1 / (n + 1)."""
        return 1.0 / (self.n + 1)

    def p_values(self, scores: FloatArray) -> npt.NDArray[np.float64]:
        """Share of inliers that would be as strange: (1 + #{calibration scores >= s}) / (n + 1).

        For an inlier drawn like the calibration rows, P(p <= a) <= a for every a.

        Parameters
        ----------
        scores
            Scores s, (N,). NaN gets the smallest possible p-value.

        Returns
        -------
        float64 (N,), in (0, 1].
        """
        # NaN sorts above every number.
        n_below = np.searchsorted(self.scores, scores, side="left")
        return (1 + self.n - n_below) / (self.n + 1)

    def discoveries(self, scores: FloatArray, fdr: float) -> npt.NDArray[np.bool_]:
        """Outliers of a batch; on average, at most a share `fdr` of them are inliers.

        Benjamini and Hochberg's procedure: with the p-values in rising order,
        p_(1) <= ... <= p_(m), the rows with the r smallest are outliers, r being the largest
        number for which p_(r) <= fdr r / m.

        Parameters
        ----------
        scores
            Of the batch, (m,). Rows that score NaN are outliers, and do not count for others.
        fdr
            Between 0 and 1.

        Returns
        -------
        bool (m,).

        Raises
        ------
        ConfigurationError
            If `fdr` is not between 0 and 1.

        Notes
        -----
        Benjamini and Hochberg (1995), JRSS B 57, 289-300. The p-values of a batch depend on each
        other through the calibration rows, positively, and the procedure still holds the rate
        (Bates et al. 2023, theorem 2).
        """
        fdr = check_share(fdr, "fdr")
        found = np.isnan(scores)
        counted = ~found
        if counted.any():
            p_values = self.p_values(scores[counted])
            # p-values are multiples of 1 / (n + 1), often right at a limit but for rounding.
            adjusted = stats.false_discovery_control(p_values, method="bh")
            found[counted] = adjusted <= fdr * (1.0 + 1e-12)
            self._warn_if_too_few(p_values, found[counted], fdr)
        return found

    def _warn_if_too_few(
        self, p_values: FloatArray, found: npt.NDArray[np.bool_], fdr: float
    ) -> None:
        n_rows = len(p_values)
        if self.smallest > fdr * (1.0 + 1e-12):
            logger.warning(
                "With %d calibration rows no p-value is below %.3g, so fdr=%g finds no outlier in "
                "any batch. Calibrate on at least %d rows, and on %d to find a single outlier "
                "among %d rows.",
                self.n,
                self.smallest,
                fdr,
                rows_needed(fdr),
                rows_needed(fdr / n_rows),
                n_rows,
            )
        elif n_beyond := np.count_nonzero((p_values <= self.smallest) & ~found):
            logger.warning(
                "%d of %d rows score higher than all %d calibration rows and yet are no outliers "
                "at fdr=%g: with so few calibration rows it takes %d such rows. Calibrate on at "
                "least %d rows to find %d among so many, or pass smaller batches.",
                n_beyond,
                n_rows,
                self.n,
                fdr,
                math.ceil(self.smallest * n_rows / fdr * (1.0 - 1e-12)),
                rows_needed(fdr * n_beyond / n_rows),
                n_beyond,
            )
