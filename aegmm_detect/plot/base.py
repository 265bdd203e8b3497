"""What the displays share: where they draw, in which colours, and which labels they take."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.extras import import_extra
from aegmm_detect.types import Array, FloatArray

NORMAL = {"color": "tab:blue", "marker": "o"}
ANOMALY = {"color": "tab:red", "marker": "D"}  # another shape: colours alone are not for all eyes


def pyplot() -> Any:
    """`matplotlib.pyplot`.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    return import_extra("matplotlib.pyplot", "plot", "Drawing")


def one_axes(ax: Any, **size: Any) -> Any:
    """`ax`, or the axes of a new figure."""
    return pyplot().subplots(layout="constrained", **size)[1] if ax is None else ax


def several_axes(ax: Any, count: int, what: str) -> Array:
    """`ax` as an array of `count` axes, or those of a new figure, side by side.

    Raises
    ------
    InvalidInputError
        `ax` holds another number.
    """
    if ax is None:
        size = (3.4 * count, 3.2)
        ax = pyplot().subplots(1, count, figsize=size, layout="constrained", squeeze=False)[1]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != count:
        raise InvalidInputError(
            f"ax holds {len(axes)} axes, but {count} are needed, for {what}. Make them with "
            f"plt.subplots(1, {count}), or leave ax out."
        )
    return axes


def as_written(*texts: Any) -> None:
    """Have Matplotlib draw `texts` as they are: names may hold ``$``, which begins a formula."""
    for text in texts:
        text.set_parse_math(False)


def check_scores(scores: Any) -> FloatArray:
    """`scores` as float32 or float64 (N,); NaN, the score of rows with NaN, is let through.

    Raises
    ------
    InvalidInputError
        They are not numbers (N,), or there are none.
    """
    given = np.asarray(scores)
    # The detector decided on its own float32 scores.
    checked: FloatArray = given.astype(np.float32 if given.dtype == np.float32 else np.float64)
    if checked.ndim != 1 or not len(checked):
        raise InvalidInputError(
            f"scores have shape {checked.shape}: pass one number for each row, such as "
            "detector.score(X)."
        )
    return checked


def check_labels(y: Any, n_rows: int) -> Array | None:
    """`y` as an array (N,) of 0 and 1; None stays None.

    Raises
    ------
    InvalidInputError
        Another length or other values.
    """
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.shape != (n_rows,) or not np.isin(labels, (0, 1)).all():
        raise InvalidInputError(
            f"y has shape {labels.shape} and values such as {np.unique(labels)[:3].tolist()}: pass "
            f"1 for an anomaly and 0 for a normal row, for each of {n_rows} rows."
        )
    return labels.astype(np.int64)


def check_names(names: Sequence[str] | None, count: int) -> list[str]:
    """`names` of `count` features, or their numbers.

    Raises
    ------
    InvalidInputError
        Another number of names.
    """
    if names is None:
        return [f"feature {i}" for i in range(count)]
    if len(names) != count:
        raise InvalidInputError(f"{len(names)} names for {count} features: pass one for each.")
    return [str(name) for name in names]
