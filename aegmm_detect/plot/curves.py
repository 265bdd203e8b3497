"""ROC, precision-recall and detection error curves, drawn by scikit-learn."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from scipy.stats import norm
from sklearn import metrics

from aegmm_detect.decision import is_outlier
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.plot.base import as_written, check_labels, check_scores, several_axes
from aegmm_detect.types import Array, FloatArray

Curve = Literal["roc", "pr", "det"]
_DISPLAYS: dict[str, Any] = {
    "roc": metrics.RocCurveDisplay,
    "pr": metrics.PrecisionRecallDisplay,
    "det": metrics.DetCurveDisplay,
}


class CurvesDisplay:
    """Curves of one or several detectors side by side, with a point where a threshold lies.

    Parameters
    ----------
    y
        Labels (N,), 1 anomaly, 0 normal; both have to be there.
    scores
        Name -> scores (N,), higher is stranger. NaN counts as higher than all others.
    thresholds
        Name -> threshold, of those names that have one. Default: none.
    curves
        Which, from left to right: 'roc', 'pr' (precision against recall, with the average
        precision) and 'det' (misses against false alarms). Default: all.

    Attributes
    ----------
    ax_
        Array of axes, one for each of `curves`.
    figure_
        Where they are.
    displays_
        Scikit-learn's displays by curve and name, ``displays_["roc"]["detector"]``.
    """

    def __init__(
        self,
        *,
        y: Any,
        scores: Mapping[str, Any],
        thresholds: Mapping[str, float] | None = None,
        curves: Sequence[Curve] = ("roc", "pr", "det"),
    ) -> None:
        self.scores = {name: check_scores(own) for name, own in scores.items()}
        self.thresholds = dict(thresholds or {})
        self.curves = tuple(curves)
        if unknown := set(self.curves) - set(_DISPLAYS):
            raise ConfigurationError(
                f"curves={list(curves)!r}: {sorted(unknown)} is not among {list(_DISPLAYS)}."
            )
        if unscored := set(self.thresholds) - set(self.scores):
            raise InvalidInputError(f"There are thresholds but no scores for {sorted(unscored)}.")
        labels = [check_labels(y, len(own)) for own in self.scores.values()]
        if not labels or labels[0] is None or len(np.unique(labels[0])) < 2:
            raise InvalidInputError(
                "Curves need scores, and labels of both kinds: y with 0 and 1 in it."
            )
        self.y: Array = labels[0]

    @classmethod
    def from_scores(cls, y: Any, scores: Any, *, ax: Any = None, **given: Any) -> Self:
        """Draw scores that are there already.

        Parameters
        ----------
        y
            Labels (N,), 1 anomaly, 0 normal.
        scores
            An array (N,), or name -> array.
        ax
            As many axes as curves. Default: those of a new figure.
        **given
            Further parameters of the class.

        Raises
        ------
        InvalidInputError, ConfigurationError
            Arrays or names that do not fit.
        MissingExtraError
            Matplotlib is not installed.
        """
        named = scores if isinstance(scores, Mapping) else {"scores": scores}
        return cls(y=y, scores=named, **given).plot(ax)

    @classmethod
    def from_detector(
        cls, detector: Any, X: Any, y: Any, *, name: str | None = None, ax: Any = None, **given: Any
    ) -> Self:
        """Score rows and draw, with a point for the detector's threshold if it has one.

        Parameters
        ----------
        detector
            Fitted.
        X
            Rows, as for ``detector.score``.
        y
            Labels (N,), 1 anomaly, 0 normal.
        name
            For the legend. Default: the detector's class.
        ax, **given
            As for `from_scores`.

        Raises
        ------
        NotFittedError
            The detector is not fitted.
        InvalidInputError, ConfigurationError, MissingExtraError
            As for `from_scores`.
        """
        name = name or type(detector).__name__
        if detector.threshold is not None:
            given = {"thresholds": {name: detector.threshold}, **given}
        return cls.from_scores(y, {name: detector.score(X)}, ax=ax, **given)

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax
            As many axes as curves. Default: those of a new figure.
        """
        self.ax_ = several_axes(ax, len(self.curves), ", ".join(self.curves))
        self.figure_ = self.ax_[0].figure
        self.displays_: dict[str, dict[str, Any]] = {}
        for curve, axes in zip(self.curves, self.ax_, strict=True):
            self.displays_[curve] = {}
            for name, scores in self.scores.items():
                # The colours of a cycle, so that a detector has the same one in all axes.
                display = _DISPLAYS[curve].from_predictions(
                    self.y, _ranked(scores), name=name, ax=axes
                )
                self.displays_[curve][name] = display
                if name in self.thresholds:
                    point = self.operating_point(curve, name)
                    axes.plot(*point, "o", color=axes.lines[-1].get_color())
            axes.set(**_TITLES[curve])
            as_written(*axes.legend(loc=_LEGENDS[curve], fontsize="small").get_texts())
        for axes in self.ax_[[curve == "det" for curve in self.curves]]:
            # Scikit-learn's ticks of rates near 0 and 1 run into each other on small axes.
            axes.tick_params(axis="x", labelrotation=60)
        return self

    def operating_point(self, curve: Curve, name: str) -> tuple[float, float]:
        """Where the threshold of a detector lies on a curve, in the coordinates of the axes.

        Parameters
        ----------
        curve
            'roc', 'pr' or 'det'.
        name
            Of the detector.

        Returns
        -------
        Horizontal and vertical coordinate. NaN where a rate of 0 or 1 has no place on the axes of
        'det', and as the precision if nothing is flagged.
        """
        flagged = is_outlier(self.scores[name], self.thresholds[name])
        hit = float(flagged[self.y == 1].mean())
        false_alarm = float(flagged[self.y == 0].mean())
        if curve == "roc":
            return false_alarm, hit
        if curve == "pr":
            return hit, float(self.y[flagged].mean()) if flagged.any() else np.nan
        rates = norm.ppf([false_alarm, 1.0 - hit])
        x, y = np.where(np.isfinite(rates), rates, np.nan)
        return float(x), float(y)


_TITLES = {
    "roc": {"xlabel": "false alarm rate", "ylabel": "recall"},
    "pr": {"xlabel": "recall", "ylabel": "precision"},
    "det": {"xlabel": "false alarm rate", "ylabel": "miss rate"},
}
_LEGENDS = {"roc": "lower right", "pr": "lower left", "det": "upper right"}


def _ranked(scores: FloatArray) -> FloatArray:
    """Scores with the rows that have none above all others: they are called outliers."""
    unknown = np.isnan(scores)
    if not unknown.any():
        return scores
    highest = scores[~unknown].max(initial=0.0)
    return np.where(unknown, np.nextafter(highest, np.inf), scores)
