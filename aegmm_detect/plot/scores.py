"""Scores of rows: one after the other, and how they are distributed."""

import abc
from typing import Any, Self

import numpy as np

from aegmm_detect.decision import is_outlier
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.extras import import_extra
from aegmm_detect.plot.base import ANOMALY, NORMAL, check_labels, check_scores, one_axes
from aegmm_detect.types import Array, FloatArray

_THRESHOLD = {"color": "black", "linestyle": "--", "linewidth": 1.2, "label": "threshold"}
# Where scores above this percentile take up more of the axis than all others, one bar holds them.
_SHOWN = 99.5


class _ScoredRows(abc.ABC):
    """Scores, threshold and labels, wherever they come from."""

    def __init__(self, *, scores: Any, threshold: float | None = None, y: Any = None) -> None:
        self.scores: FloatArray = check_scores(scores)
        self.threshold = None if threshold is None else float(threshold)
        self.y = check_labels(y, len(self.scores))

    @classmethod
    def from_scores(cls, scores: Any, *, ax: Any = None, **given: Any) -> Self:
        """Draw scores that are there already.

        Parameters
        ----------
        scores
            Shape (N,); higher is stranger.
        ax
            Axes to draw on. Default: those of a new figure.
        **given
            Further parameters of the class.

        Raises
        ------
        InvalidInputError
            Arrays that do not fit together.
        MissingExtraError
            Matplotlib is not installed.
        """
        return cls(scores=scores, **given).plot(ax)

    @classmethod
    def from_predictions(cls, predictions: Any, *, ax: Any = None, **given: Any) -> Self:
        """Draw what ``detector.predict(X)`` returned.

        Parameters
        ----------
        predictions
            The dictionary, with scores in it.
        ax, **given
            As for `from_scores`.

        Raises
        ------
        InvalidInputError
            There are no scores in it; also as for `from_scores`.
        MissingExtraError
            Matplotlib is not installed.
        """
        data = predictions.get("data") if isinstance(predictions, dict) else None
        if data is None or data.get("instance_score") is None:
            raise InvalidInputError(
                "predictions hold no scores: pass what detector.predict(X) returns, without "
                "return_instance_score=False, or draw an array by from_scores."
            )
        return cls.from_scores(data["instance_score"], ax=ax, **given)

    @classmethod
    def from_detector(cls, detector: Any, X: Any, *, ax: Any = None, **given: Any) -> Self:
        """Score rows and draw, with the detector's threshold if it has one.

        Parameters
        ----------
        detector
            Fitted.
        X
            Rows, as for ``detector.score``.
        ax, **given
            As for `from_scores`.

        Raises
        ------
        NotFittedError
            The detector is not fitted.
        InvalidInputError, MissingExtraError
            As for `from_scores`.
        """
        given = {"threshold": detector.threshold, **given}
        return cls.from_scores(detector.score(X), ax=ax, **given)

    @abc.abstractmethod
    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw on `ax`, or on the axes of a new figure."""

    def _groups(self) -> list[tuple[Array, dict[str, str]]]:
        """Rows that look alike, and how: by label, or else by decision."""
        if self.y is not None:
            return [
                (self.y == 0, {**NORMAL, "label": "normal"}),
                (self.y == 1, {**ANOMALY, "label": "anomaly"}),
            ]
        if self.threshold is None:
            return [(np.ones(len(self.scores), dtype=bool), {**NORMAL, "label": "rows"})]
        outside = is_outlier(self.scores, self.threshold)
        return [
            (~outside, {**NORMAL, "label": "inlier"}),
            (outside, {**ANOMALY, "label": "outlier"}),
        ]


class ScoreDisplay(_ScoredRows):
    """Scores in the order of the rows, with the threshold.

    Rows without a score, which hold NaN, are marked along the upper edge.

    Parameters
    ----------
    scores
        Shape (N,); higher is stranger.
    threshold
        Score above which a row is an outlier. Default None: no line.
    y
        Labels (N,), 1 anomaly, 0 normal, to be told apart. Default None: told apart by the
        threshold.
    index
        Where rows stand on the horizontal axis, (N,): times, for example. Default: row numbers.

    Attributes
    ----------
    ax_, figure_
        Where `plot` drew.
    threshold_line_
        The line, or None.
    """

    def __init__(
        self, *, scores: Any, threshold: float | None = None, y: Any = None, index: Any = None
    ) -> None:
        super().__init__(scores=scores, threshold=threshold, y=y)
        self._numbered = index is None
        self.index = np.arange(len(self.scores)) if index is None else np.asarray(index)
        if self.index.shape != self.scores.shape:
            raise InvalidInputError(
                f"index has shape {self.index.shape} for {len(self.scores)} rows: pass one place "
                "for each."
            )

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax
            Axes to draw on. Default: those of a new figure.
        **kwargs
            For the points: those of ``Axes.scatter``.
        """
        ax = one_axes(ax, figsize=(8.0, 3.6))
        for rows, look in self._groups():
            if rows.any():
                # What is rare is small in number, so it may be large and in front.
                size = 8.0 if look["marker"] == NORMAL["marker"] else 18.0
                style = {"s": size, "linewidths": 0.0, "alpha": 0.75, **look, **kwargs}
                ax.scatter(self.index[rows], self.scores[rows], **style)
        unknown = np.isnan(self.scores)
        if unknown.any():
            ax.scatter(
                self.index[unknown],
                np.full(unknown.sum(), 0.98),
                transform=ax.get_xaxis_transform(),
                marker="v",
                color="black",
                s=18.0,
                label="NaN, no score",
            )
        self.threshold_line_ = None
        if self.threshold is not None:
            self.threshold_line_ = ax.axhline(self.threshold, **_THRESHOLD)
        ax.set(ylabel="score")
        if self._numbered:
            ax.set(xlabel="row")
        elif self.index.dtype.kind == "M":
            # Full dates run into each other.
            dates = import_extra("matplotlib.dates", "plot", "Drawing")
            locator = dates.AutoDateLocator()
            ax.xaxis.set(major_locator=locator, major_formatter=dates.ConciseDateFormatter(locator))
        # Outside of the points, wherever they are.
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class ScoreHistogramDisplay(_ScoredRows):
    """How scores are distributed, by label.

    Parameters
    ----------
    scores, threshold, y
        See `ScoreDisplay`. NaN does not count.
    bins
        Number of bars. Default 50. Where the highest .5 % of scores would take up more of the axis
        than all others, the last bar holds them.

    Attributes
    ----------
    ax_, figure_
        Where `plot` drew.
    edges_
        Of the bars, (bins + 1,).
    counts_
        Rows in each bar, an array (bins,) for each group in the legend.
    threshold_line_
        The line, or None.
    """

    def __init__(
        self, *, scores: Any, threshold: float | None = None, y: Any = None, bins: int = 50
    ) -> None:
        super().__init__(scores=scores, threshold=threshold, y=y)
        self.bins = bins

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax
            Axes to draw on. Default: those of a new figure.
        **kwargs
            For the bars: those of ``Axes.stairs``.
        """
        ax = one_axes(ax, figsize=(5.4, 3.6))
        known = self.scores[~np.isnan(self.scores)]
        if not len(known):
            raise InvalidInputError("All scores are NaN: there is nothing to draw.")
        upper = self._upper(known)
        shown = np.clip(self.scores, None, upper)
        self.edges_ = np.histogram_bin_edges(shown[~np.isnan(shown)], self.bins)
        self.counts_ = []
        for rows, look in self._groups():
            counts, _ = np.histogram(shown[rows & ~np.isnan(shown)], self.edges_)
            style = {
                "fill": True,
                "alpha": 0.6,
                "color": look["color"],
                "label": look["label"],
                **kwargs,
            }
            ax.stairs(counts, self.edges_, **style)
            self.counts_.append(counts)
        self.threshold_line_ = None
        if self.threshold is not None:
            self.threshold_line_ = ax.axvline(self.threshold, **_THRESHOLD)
        above = "; the last bar holds all above" if known.max() > upper else ""
        ax.set(xlabel=f"score{above}", ylabel="rows", yscale="log")
        ax.set_ylim(bottom=0.7)  # one row must be seen on a logarithmic axis
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _upper(self, known: FloatArray) -> float:
        """The highest score with a place of its own on the axis."""
        lowest, upper, highest = np.percentile(known, [0.0, _SHOWN, 100.0])
        if highest - upper <= upper - lowest:
            return float(highest)
        if self.threshold is not None and upper < self.threshold < highest:
            # What is called an outlier is seen to be beyond the line.
            upper = self.threshold + 0.1 * (self.threshold - lowest)
        return float(min(upper, highest))
