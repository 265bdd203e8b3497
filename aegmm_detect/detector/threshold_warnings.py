"""Warnings if a new threshold has a surprising effect on the rows it was inferred from."""

import logging

import numpy as np
from scipy import stats

from aegmm_detect.decision import is_outlier
from aegmm_detect.input_checks import INLIER, OUTLIER
from aegmm_detect.types import FloatArray, IntArray

logger = logging.getLogger(__name__)

# Warn if this share of the requested rows is not flagged. Rounding and a few ties cost less.
_SHORTFALL = 0.1
# Significance level of the test whether labelled outliers score lower than inliers.
_BY_CHANCE = 1e-3


def warn_of_ties(scores: FloatArray, threshold: float, asked: float) -> None:
    """Log a warning if far fewer of `scores` (N,) are flagged than the `asked` number of rows."""
    flagged = int(is_outlier(scores, threshold).sum())
    missing = asked - flagged
    if missing > max(1.0, _SHORTFALL * asked) or (not flagged and asked >= 1.0):
        tied = np.unique(scores, return_counts=True)[1].max()
        logger.warning(
            "%.6g of %d rows were to be flagged, but %d are: rows with equal scores at the "
            "threshold stay below it, and up to %d rows share a score. Are there many equal rows, "
            "or a detector that cannot tell them apart? Pass rows that differ, or set .threshold.",
            asked,
            len(scores),
            flagged,
            tied,
        )


def warn_of_labels(scores: FloatArray, threshold: float, y: IntArray) -> None:
    """Log a warning if labelled outliers score lower than inliers, or if all rows are flagged.

    Parameters
    ----------
    scores, y
        Scores of the rows and their labels, both (N,).
    threshold
        Threshold inferred from them.
    """
    outliers, inliers = scores[y == OUTLIER], scores[y == INLIER]
    meaning = "y is 1 for outliers and 0 for inliers"
    if len(outliers) and len(inliers):
        test = stats.mannwhitneyu(outliers, inliers, alternative="less")
        if test.pvalue < _BY_CHANCE:
            logger.warning(
                "Rows labelled as outliers score lower than rows labelled as inliers (area under "
                "the ROC curve %.3g). Are the labels swapped? %s.",
                test.statistic / (len(outliers) * len(inliers)),
                meaning,
            )
            return
    labelled = np.concatenate([outliers, inliers])
    if len(labelled) > 1 and len(inliers) and is_outlier(labelled, threshold).all():
        logger.warning(
            "The threshold %.6g flags all %d labelled rows, also the %d inliers: scores do not "
            "tell the labels apart, or the labels are swapped. %s.",
            threshold,
            len(labelled),
            len(inliers),
            meaning,
        )
