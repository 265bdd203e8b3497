"""Seeded toy data whose anomalies are known by construction."""

import numpy as np
import numpy.typing as npt
from sklearn.datasets import make_blobs

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.types import FloatArray

_OUTLIER_ROWS = (300, 500)
_N_CANDIDATES = 1000

_SIDE = 28
_NOISE = 0.02  # standard deviation of the pixels' noise
_WAVELENGTH = 4.0  # of the anomalous texture, in pixels


def make_blobs_with_outliers(seed: int = 123) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Five Gaussian blobs in five dimensions, and two rows that belong to none.

    The blobs have standard deviation 1 and centres drawn from [-10, 10]^5. The two outliers are
    inside the range of the blobs in every column, so no single column gives them away, but far
    from every blob: of 1,000 random points the farthest from the centres, then the farthest from
    the centres and the first outlier. Both lie more than 10 standard deviations from every centre
    and from each other.

    Parameters
    ----------
    seed
        Draws blobs and outliers.

    Returns
    -------
    X
        float64 (1000, 5).
    outliers
        The two planted rows: 300 and 500.
    """
    X, _, centers = make_blobs(
        n_samples=1000,
        n_features=5,
        centers=5,
        center_box=(-10.0, 10.0),
        cluster_std=1.0,
        random_state=seed,
        return_centers=True,
    )
    rng = np.random.default_rng(seed)
    candidates = rng.uniform(X.min(axis=0), X.max(axis=0), size=(_N_CANDIDATES, X.shape[1]))
    occupied = centers
    for row in _OUTLIER_ROWS:
        distances = np.linalg.norm(candidates[:, None, :] - occupied, axis=-1).min(axis=1)
        X[row] = candidates[distances.argmax()]
        occupied = np.vstack([occupied, X[row]])
    return X, np.array(_OUTLIER_ROWS)


def make_images(
    n: int = 1000, seed: int = 0, *, anomaly_rate: float = 0.0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Small grey images of one soft stroke each; anomalous ones are striped.

    A normal image is an elongated Gaussian spot of random place, direction, size and brightness.
    An anomalous one is such a spot, larger, cut into stripes: equally bright on average and at
    its peak, so that only the texture tells them apart.

    Parameters
    ----------
    n
        Number of images.
    seed
        Draws everything.
    anomaly_rate
        Share of anomalous images, in [0, 1]; ``round(n * anomaly_rate)`` of them, at random rows.

    Returns
    -------
    X
        float32 (n, 28, 28, 1) in [0, 1].
    y
        int64 (n,): 1 anomaly, 0 normal.

    Raises
    ------
    ConfigurationError
        `anomaly_rate` is outside [0, 1].
    """
    if not 0.0 <= anomaly_rate <= 1.0:
        raise ConfigurationError(f"anomaly_rate={anomaly_rate!r}: pass a share from 0 to 1.")
    rng = np.random.default_rng(seed)
    y = np.zeros(n, dtype=np.int64)
    y[rng.permutation(n)[: round(n * anomaly_rate)]] = 1
    striped = y[:, None, None].astype(bool)

    def draw(low: float, high: float) -> FloatArray:
        return rng.uniform(low, high, size=(n, 1, 1))

    # Coordinates along and across the stroke, in pixels from its middle.
    down, right = np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2
    right, down = right - draw(-4.0, 4.0), down - draw(-4.0, 4.0)
    angle = draw(0.0, np.pi)
    along = np.cos(angle) * right + np.sin(angle) * down
    across = np.cos(angle) * down - np.sin(angle) * right
    # Stripes take half of the light; twice the area gives it back.
    size = np.where(striped, np.sqrt(2.0), 1.0)
    length, width = size * draw(4.0, 6.0), size * draw(1.5, 2.5)
    spot = np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))
    stripes = np.where(striped, 0.5 + 0.5 * np.cos(2.0 * np.pi * along / _WAVELENGTH), 1.0)
    images = draw(0.6, 0.9) * spot * stripes + rng.normal(0.0, _NOISE, size=spot.shape)
    return np.clip(images, 0.0, 1.0).astype(np.float32)[..., None], y
