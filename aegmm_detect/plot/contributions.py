"""What each feature contributes to a score."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.plot.base import ANOMALY, NORMAL, as_written, check_names, one_axes
from aegmm_detect.types import FloatArray


class ContributionDisplay:
    """Bars of the features that contribute most, of one row or on average over several.

    Parameters
    ----------
    contributions
        Of one row (F,), or of several (N, F), in units of the score: what raises it is positive.
    names
        Of the features, F of them. Default: their numbers.
    max_features
        Bars; the features with the largest mean absolute contributions. Default 15.

    Attributes
    ----------
    ax_, figure_
        Where `plot` drew.
    order_
        Numbers of the features that are shown, the largest first.
    """

    def __init__(
        self, *, contributions: Any, names: Sequence[str] | None = None, max_features: int = 15
    ) -> None:
        array = np.asarray(contributions, dtype=np.float64)
        if array.ndim not in (1, 2) or not array.size:
            raise InvalidInputError(
                f"contributions have shape {array.shape}: pass (F,) for one row or (N, F)."
            )
        if not np.isfinite(array).all():
            raise InvalidInputError("contributions hold NaN or infinity: leave those rows out.")
        if max_features < 1:
            raise ConfigurationError(f"max_features={max_features}: pass a number from 1.")
        self.contributions: FloatArray = np.atleast_2d(array)
        self.names = check_names(names, self.contributions.shape[1])
        self.max_features = max_features

    @classmethod
    def from_contributions(
        cls,
        contributions: Any,
        names: Sequence[str] | None = None,
        *,
        max_features: int = 15,
        ax: Any = None,
    ) -> Self:
        """Draw contributions.

        Parameters
        ----------
        contributions, names, max_features
            See the class.
        ax
            Axes to draw on. Default: those of a new figure.

        Raises
        ------
        InvalidInputError, ConfigurationError
            An array, names or a number that do not fit.
        MissingExtraError
            Matplotlib is not installed.
        """
        return cls(contributions=contributions, names=names, max_features=max_features).plot(ax)

    @classmethod
    def from_detector(
        cls, detector: Any, X: Any, names: Sequence[str] | None = None, **given: Any
    ) -> Self:
        """Draw what ``detector.explain`` finds: the integrated gradients of the score.

        Parameters
        ----------
        detector
            Fitted.
        X
            Rows (N, F), as for ``detector.explain``.
        names
            Of the features. Default: those of the columns of a data frame.
        **given
            `max_features` and `ax`, as for `from_contributions`.

        Raises
        ------
        NotFittedError
            The detector is not fitted.
        InvalidInputError, ConfigurationError, MissingExtraError
            As for `from_contributions`.
        """
        if names is None:
            names = getattr(X, "columns", None)
        return cls.from_contributions(detector.explain(X).score, names, **given)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax
            Axes to draw on. Default: those of a new figure.
        **kwargs
            For the bars: those of ``Axes.barh``.
        """
        size = np.abs(self.contributions).mean(axis=0)
        self.order_ = np.argsort(-size, kind="stable")[: self.max_features]
        ax = one_axes(ax, figsize=(5.4, 1.2 + 0.28 * len(self.order_)))
        shown = self.contributions[:, self.order_]
        mean, places = shown.mean(axis=0), np.arange(len(self.order_))
        colors = np.where(mean > 0.0, ANOMALY["color"], NORMAL["color"])
        ax.barh(places, mean, **{"color": colors, "alpha": 0.75, **kwargs})
        if len(shown) > 1:
            ax.plot(shown.T, places, "k.", markersize=3.0, alpha=0.35)
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.set_yticks(places, [self.names[i] for i in self.order_])
        as_written(*ax.get_yticklabels())
        ax.invert_yaxis()
        ax.set(xlabel="contribution to the score")
        said = [f"bars: mean of {len(shown)} rows, dots: the rows"] if len(shown) > 1 else []
        if left_out := len(self.names) - len(self.order_):
            said.append(f"{left_out} smaller ones left out")
        ax.set_title("; ".join(said), fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self
