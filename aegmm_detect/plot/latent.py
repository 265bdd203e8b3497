"""Rows in the latent space, with the components of the mixture that scores them."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.extras import import_extra
from aegmm_detect.inputs import as_rows
from aegmm_detect.plot.base import ANOMALY, NORMAL, as_written, check_labels, one_axes
from aegmm_detect.scoring_loop import checked_batches
from aegmm_detect.types import Array, FloatArray

# Rows in a forward pass, which only memory bounds.
_ROWS = 8192
# Percentage of the rows of each label that the axes have room for, wherever those rows are.
_BULK = 90.0

View = Literal["pca", "first"]


class LatentDisplay:
    """A plane of the latent space: rows as points, components as ellipses.

    An ellipse is where a component's marginal density on the plane is that of `n_std` standard
    deviations; the stronger its line, the larger the component's weight. Rows far out lie beyond
    the axes, and the title says how many.

    Parameters
    ----------
    z
        Rows, (N, 2), on the plane.
    means, covariances
        Of the components on the plane, (K, 2) and (K, 2, 2).
    weights
        (K,), sum to 1.
    y
        Labels (N,), 1 anomaly, 0 normal. Default None: not told apart.
    labels
        Of the two axes.

    Attributes
    ----------
    ax_, figure_
        Where `plot` drew.
    ellipses_
        Matplotlib's ellipses: those of the first component for each of `n_std`, then the second's.
    """

    def __init__(
        self,
        *,
        z: Any,
        means: Any,
        covariances: Any,
        weights: Any,
        y: Any = None,
        labels: tuple[str, str] = ("z, axis 1", "z, axis 2"),
    ) -> None:
        self.z, self.means, self.covariances, self.weights = (
            np.asarray(array, dtype=np.float64) for array in (z, means, covariances, weights)
        )
        k = len(self.means)
        shapes = [self.means.shape, self.covariances.shape, self.weights.shape]
        fits = self.z.ndim == 2 and self.z.shape[1] == 2 and len(self.z) > 0
        if not fits or shapes != [(k, 2), (k, 2, 2), (k,)]:
            raise InvalidInputError(
                f"z {self.z.shape}, means {shapes[0]}, covariances {shapes[1]} and weights "
                f"{shapes[2]} do not fit: pass (N, 2), (K, 2), (K, 2, 2) and (K,)."
            )
        self.y = check_labels(y, len(self.z))
        self.labels = labels

    @classmethod
    def from_detector(
        cls,
        detector: Any,
        X: Any,
        *,
        y: Any = None,
        member: int = 0,
        mixture: int = 0,
        view: View = "pca",
        ax: Any = None,
    ) -> Self:
        """Draw where the rows of `X` lie for a detector.

        Parameters
        ----------
        detector
            A fitted mixture detector.
        X
            Rows, as for ``detector.score``. Those with NaN have no place and are left out.
        y
            Labels (N,), 1 anomaly, 0 normal. Default None: not told apart.
        member
            Number of the net, where there are several. Default the first.
        mixture
            Number of the mixture in ``detector.members[member].mixtures``. Default the first.
        view
            'pca' (default): the two principal axes of the mixture, which do not depend on `X`.
            'first': the first two dimensions of z.
        ax
            Axes to draw on. Default: those of a new figure.

        Raises
        ------
        NotFittedError
            The detector is not fitted.
        ConfigurationError
            No such member, mixture or view; z has a single dimension; the mixture is not Gaussian.
        InvalidInputError
            `X` or `y` does not fit, or no row is without NaN.
        MissingExtraError
            Matplotlib is not installed.
        """
        if isinstance(detector.members, Mapping):
            raise ConfigurationError(
                f"{type(detector).__name__} has a latent space for each class: pass one of its "
                f"detectors, for example detector.members[{next(iter(detector.members))!r}]."
            )
        own = _pick(detector.members, member, "member").mixtures
        density = _pick(own, mixture, "mixture")
        if not hasattr(density, "cov"):
            raise ConfigurationError(
                f"{type(detector).__name__} has no covariances, whose ellipses this display draws: "
                "it shows Gaussian mixtures alone."
            )
        centre, axes, labels = _plane(density, view)
        z = _latent(detector, X, member)[:, : density.n_dim]
        labels_of_rows = check_labels(y, len(z))
        known = np.isfinite(z).all(axis=1)
        if not known.any():
            raise InvalidInputError("X holds no row without NaN or infinity: none has a place.")
        return cls(
            z=(z[known] - centre) @ axes,
            means=(density.mu - centre) @ axes,
            covariances=axes.T @ density.cov @ axes,
            weights=density.phi,
            y=None if labels_of_rows is None else labels_of_rows[known],
            labels=labels,
        ).plot(ax)

    def plot(self, ax: Any = None, *, n_std: tuple[float, ...] = (1.0, 2.0), **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax
            Axes to draw on. Default: those of a new figure.
        n_std
            Standard deviations that have an ellipse. Default 1 and 2.
        **kwargs
            For the points: those of ``Axes.scatter``.
        """
        ax = one_axes(ax, figsize=(5.6, 4.4))
        everyone = np.zeros(len(self.z), dtype=np.int64)
        group = everyone if self.y is None else self.y
        names = ("row", "anomaly") if self.y is None else ("normal", "anomaly")
        for label, look, size in [(0, NORMAL, 6.0), (1, ANOMALY, 18.0)]:
            points = self.z[group == label]
            if len(points):
                style = {"s": size, "alpha": 0.5, "linewidths": 0.0, "label": names[label]}
                ax.scatter(*points.T, **{**look, **style, **kwargs})
        self.ellipses_: list[Any] = [
            self._add_ellipse(ax, component, n)
            for component in range(len(self.means))
            for n in n_std
        ]
        if self.ellipses_:
            self.ellipses_[0].set_label(f"component, {' and '.join(f'{n:g}' for n in n_std)} std")
        beyond = self._set_limits(ax, group)
        as_written(ax.set_xlabel(self.labels[0]), ax.set_ylabel(self.labels[1]))
        if beyond:
            ax.set_title(f"{beyond} of {len(self.z)} rows lie beyond the axes", fontsize="medium")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _add_ellipse(self, ax: Any, component: int, n_std: float) -> Any:
        patches = import_extra("matplotlib.patches", "plot", "Drawing")
        variances, directions = np.linalg.eigh(self.covariances[component])
        width, height = 2.0 * n_std * np.sqrt(np.maximum(variances[::-1], 0.0))
        x, y = directions[:, 1]
        share = self.weights[component] / self.weights.max()
        ellipse = patches.Ellipse(
            self.means[component],
            width,
            height,
            angle=float(np.degrees(np.arctan2(y, x))),
            fill=False,
            edgecolor="black",
            linewidth=0.6 + share,
            alpha=float(0.25 + 0.75 * share),
        )
        return ax.add_patch(ellipse)

    def _set_limits(self, ax: Any, group: Array) -> int:
        """Make room for components and rows; returns how many rows lie beyond."""
        spread = 2.0 * np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        used = self.weights > 1e-3
        bulk = [self.means[used] - spread[used], self.means[used] + spread[used]]
        middle = [(100.0 - _BULK) / 2.0, (100.0 + _BULK) / 2.0]
        bulk += [np.percentile(self.z[group == g], middle, axis=0) for g in np.unique(group)]
        low, high = np.min(np.vstack(bulk), axis=0), np.max(np.vstack(bulk), axis=0)
        # A few rows far out would make a point of all the rest: they get as much room at each side.
        width = np.maximum(high - low, 1e-12)
        low = np.maximum(np.minimum(self.z.min(axis=0), low), low - width) - 0.05 * width
        high = np.minimum(np.maximum(self.z.max(axis=0), high), high + width) + 0.05 * width
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        return int(((self.z < low) | (self.z > high)).any(axis=1).sum())


def _pick(items: Any, number: int, what: str) -> Any:
    if not 0 <= number < len(items):
        raise ConfigurationError(f"{what}={number}: there are {len(items)}, counted from 0.")
    return items[number]


def _plane(density: Any, view: str) -> tuple[FloatArray, FloatArray, tuple[str, str]]:
    """Origin (D,), axes (D, 2) and their labels."""
    if density.n_dim < 2:
        raise ConfigurationError("z has one dimension: draw a histogram of it instead.")
    if view == "first":
        return np.zeros(density.n_dim), np.eye(density.n_dim)[:, :2], ("z[0]", "z[1]")
    if view != "pca":
        raise ConfigurationError(f"view={view!r}: pass 'pca' or 'first'.")
    centre = density.phi @ density.mu
    between = density.mu - centre
    # The covariance of the whole mixture: within components, and between them.
    covariance = np.tensordot(density.phi, density.cov, 1) + (density.phi * between.T) @ between
    variances, directions = np.linalg.eigh(covariance)
    axes = directions[:, ::-1][:, :2]
    # Eigenvectors have no sign of their own: the largest entry of each is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    shares = variances[::-1][:2] / variances.sum()
    first, second = (f"principal axis {i} of z ({share:.0%})" for i, share in enumerate(shares, 1))
    return centre, axes, (first, second)


def _latent(detector: Any, X: Any, member: int) -> FloatArray:
    """Latent vectors of raw rows, (N, D) float64."""
    state = detector.state
    latent = state.latent(detector.net)
    parts = [
        np.asarray(latent(state.prepared(batch[i : i + _ROWS]))[member])
        for batch in checked_batches(as_rows(X, state.names), state.row_shape, _ROWS)
        for i in range(0, len(batch), _ROWS)
    ]
    if not parts:
        raise InvalidInputError("X holds no rows.")
    return np.concatenate(parts).astype(np.float64)
